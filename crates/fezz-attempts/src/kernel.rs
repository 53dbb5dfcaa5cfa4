//! System calls that expose much of the kernel, or are for administrators. Their arguments can do no harm: calls that
//! only root may make have arguments that the kernel refuses after its check of privileges.

use crate::attempt::Attempt;
use crate::found::Found;
use crate::probe::{Probe, judge, probes};
use crate::sys::{self, HERE, NO_FD, NOWHERE};

pub(crate) const PROBES: &[Probe] = probes! {
    "bpf-map" bpf SYS_bpf (0, sys::at(&BPF_ARRAY), size_of_val(&BPF_ARRAY));
    "bpf-program" bpf SYS_bpf (5, NOWHERE, 128);
    "io-uring" io_uring_setup SYS_io_uring_setup (1, NOWHERE);
    "io-uring-enter" io_uring_enter SYS_io_uring_enter (NO_FD, 0, 0, 0, 0, 0);
    "io-uring-register" io_uring_register SYS_io_uring_register (NO_FD, 0, 0, 0);
    "perf-event" perf_event_open SYS_perf_event_open (NOWHERE, 0, NO_FD, NO_FD, 0);
    "userfaultfd" userfaultfd SYS_userfaultfd (1);
    // The process's own keyring, gone with it.
    "add-key" add_key SYS_add_key (sys::at(c"user"), sys::at(c"fezz-attempts"), sys::at(c"x"), 1, KEY_SPEC_PROCESS_KEYRING);
    "request-key" request_key SYS_request_key (sys::at(c"user"), sys::at(c"fezz-none"), 0, 0);
    "keyring-id" keyctl SYS_keyctl (0, KEY_SPEC_SESSION_KEYRING, 0);
    // More segments than there can be.
    "load-kernel" kexec_load SYS_kexec_load (0, 100_000, 0, 0);
    "load-kernel-file" kexec_file_load SYS_kexec_file_load (NO_FD, NO_FD, 0, 0, usize::MAX);
    "load-module" init_module SYS_init_module (NOWHERE, 0, NOWHERE);
    "load-module-file" finit_module SYS_finit_module (NO_FD, NOWHERE, 0);
    "unload-module" delete_module SYS_delete_module (NOWHERE, libc::O_NONBLOCK);
    "watch-files" fanotify_init SYS_fanotify_init (FAN_REPORT_FID, 0);
    "mark-files" fanotify_mark SYS_fanotify_mark (NO_FD, 0, 0, NO_FD, 0);
    "handle-of-file" name_to_handle_at SYS_name_to_handle_at (HERE, sys::at(c"/"), 0, 0, 0);
    "file-by-handle" open_by_handle_at SYS_open_by_handle_at (NO_FD, NOWHERE, 0);
    "quota" quotactl SYS_quotactl (usize::MAX, 0, 0, 0);
    "quota-by-descriptor" quotactl_fd SYS_quotactl_fd (NO_FD, 0, 0, 0);
    "swap-on" swapon SYS_swapon (NOWHERE, 0);
    "swap-off" swapoff SYS_swapoff (NOWHERE);
    "reboot" reboot SYS_reboot (0, 0, 0, 0);
    "account" acct SYS_acct (NOWHERE);
    // The log's size.
    "kernel-log" syslog SYS_syslog (10, 0, 0);
    "profile-cookie" lookup_dcookie SYS_lookup_dcookie (0, NOWHERE, 0);
    "file-service" nfsservctl SYS_nfsservctl (0, 0, 0);
    // A thread, but for its descriptors; and a pair of flags that the kernel refuses.
    "own-descriptors" clone SYS_clone (NOT_QUITE_A_THREAD, 0, 0, 0, 0);
    // A range that is none, which the kernel refuses.
    "unshare-descriptors" close_range SYS_close_range (1, 0, libc::CLOSE_RANGE_UNSHARE);
    "send-file" sendfile SYS_sendfile (NO_FD, NO_FD, 0, 0);
    "huge-pages" mmap SYS_mmap (0, 0, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB, NO_FD, 0);
    "write-through-library" fsync SYS_fsync (NO_FD);
    "lock-library" flock SYS_flock (NO_FD, libc::LOCK_SH);
    "lock-part-of-library" fcntl SYS_fcntl (NO_FD, libc::F_SETLK, NOWHERE);
    "lock-part-of-library-in-time" fcntl SYS_fcntl (NO_FD, libc::F_SETLKW, NOWHERE);
    "lease-library" fcntl SYS_fcntl (NO_FD, libc::F_SETLEASE, libc::F_RDLCK);
    "watch-folder" fcntl SYS_fcntl (NO_FD, libc::F_NOTIFY, 0);
    "free-blocks" statfs SYS_statfs (sys::at(c"/"), NOWHERE);
    "free-blocks-of-open-file" fstatfs SYS_fstatfs (NO_FD, NOWHERE);
    "splice-user-memory" vmsplice SYS_vmsplice (NO_FD, 0, 0, 0);
    "splice" splice SYS_splice (NO_FD, 0, NO_FD, 0, 1, 0);
    "tee" tee SYS_tee (NO_FD, NO_FD, 1, 0);
    "bind-memory" mbind SYS_mbind (0, 0, 0, 0, 0, 0);
    "migrate-pages" migrate_pages SYS_migrate_pages (0, 0, 0, 0);
    "move-pages" move_pages SYS_move_pages (0, 0, 0, 0, 0, 0);
    "memory-policy" set_mempolicy SYS_set_mempolicy (usize::MAX, 0, 0);
    "secret-memory" memfd_secret SYS_memfd_secret (0);
    "own-ruleset" landlock_create_ruleset SYS_landlock_create_ruleset (0, 0, 1);
    "own-filter-with-listener" seccomp SYS_seccomp (1, 1 << 3, NOWHERE);
    "compare-processes" kcmp SYS_kcmp (0, 0, usize::MAX, 0, 0);
    "remap-file-pages" remap_file_pages SYS_remap_file_pages (NOWHERE, 0, 0, 0, 0);
    "read-ahead" readahead SYS_readahead (NO_FD, 0, 0);
    "adjust-clock" clock_adjtime SYS_clock_adjtime (usize::MAX >> 33, NOWHERE);
    "type-on-terminal" ioctl SYS_ioctl (2, libc::TIOCSTI, sys::at(c"x"));
    "terminal-selection" ioctl SYS_ioctl (2, TIOCLINUX, sys::at(c"\x02"));
};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("write-through", |_| needs_descriptor("fsync", libc::SYS_fsync)),
    ("write-data-through", |_| needs_descriptor("fdatasync", libc::SYS_fdatasync)),
];

/// A call on a descriptor that isn't open. If it succeeds, a filter has answered without making it.
fn needs_descriptor(call: &'static str, number: libc::c_long) -> Found {
    match sys::call(number, &[NO_FD]) {
        Ok(_) => Found::Refused(format!("{call}: reported success without being made")),
        answer => judge(call, answer),
    }
}

const KEY_SPEC_PROCESS_KEYRING: isize = -2;
const KEY_SPEC_SESSION_KEYRING: isize = -3;
const FAN_REPORT_FID: usize = 0x200;
const TIOCLINUX: usize = 0x541C;

/// An array of one entry: type 2, keys and values of four bytes.
static BPF_ARRAY: [u32; 5] = [2, 4, 4, 1, 0];

const NOT_QUITE_A_THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_PIDFD
    | libc::CLONE_PARENT_SETTID;
