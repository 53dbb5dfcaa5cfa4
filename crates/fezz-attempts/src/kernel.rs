//! System calls that expose much of the kernel, or are for administrators. Their arguments can do no harm: calls that
//! only root may make have arguments that the kernel refuses after its check of privileges.

use crate::attempt::{Attempt, Variant, probes};
use crate::found::Found;
use crate::probe::judge;
use crate::sys::{self, HERE, NO_FD, NOWHERE};

pub(crate) const PROBES: &[Attempt] = probes! {
    "bpf-map" "make a BPF map": bpf SYS_bpf (0, sys::at(&BPF_ARRAY), size_of_val(&BPF_ARRAY));
    "bpf-program" "load a BPF program": bpf SYS_bpf (5, NOWHERE, 128);
    "io-uring" "make an io_uring": io_uring_setup SYS_io_uring_setup (1, NOWHERE);
    "io-uring-enter" "submit to an io_uring": io_uring_enter SYS_io_uring_enter (NO_FD, 0, 0, 0, 0, 0);
    "io-uring-register" "register with an io_uring": io_uring_register SYS_io_uring_register (NO_FD, 0, 0, 0);
    "perf-event" "measure by perf_event_open": perf_event_open SYS_perf_event_open (NOWHERE, 0, NO_FD, NO_FD, 0);
    "userfaultfd" "handle page faults by itself": userfaultfd SYS_userfaultfd (1);
    // The process's own keyring, gone with it.
    "add-key" "add a key to a keyring": add_key SYS_add_key (sys::at(c"user"), sys::at(c"fezz-attempts"), sys::at(c"x"), 1, KEY_SPEC_PROCESS_KEYRING);
    "request-key" "ask for a key": request_key SYS_request_key (sys::at(c"user"), sys::at(c"fezz-none"), 0, 0);
    "keyring-id" "find the session's keyring": keyctl SYS_keyctl (0, KEY_SPEC_SESSION_KEYRING, 0);
    // More segments than there can be.
    "load-kernel" "load another kernel": kexec_load SYS_kexec_load (0, 100_000, 0, 0);
    "load-kernel-file" "load another kernel from a file": kexec_file_load SYS_kexec_file_load (NO_FD, NO_FD, 0, 0, usize::MAX);
    "load-module" "load a kernel module": init_module SYS_init_module (NOWHERE, 0, NOWHERE);
    "load-module-file" "load a kernel module from a file": finit_module SYS_finit_module (NO_FD, NOWHERE, 0);
    "unload-module" "unload a kernel module": delete_module SYS_delete_module (NOWHERE, libc::O_NONBLOCK);
    "watch-files" "watch files by fanotify": fanotify_init SYS_fanotify_init (FAN_REPORT_FID, 0);
    "mark-files" "call fanotify_mark": fanotify_mark SYS_fanotify_mark (NO_FD, 0, 0, NO_FD, 0);
    "handle-of-file" "ask for a file's handle": name_to_handle_at SYS_name_to_handle_at (HERE, sys::at(c"/"), 0, 0, 0);
    "file-by-handle" "call open_by_handle_at": open_by_handle_at SYS_open_by_handle_at (NO_FD, NOWHERE, 0);
    "quota" "ask for a quota": quotactl SYS_quotactl (usize::MAX, 0, 0, 0);
    "quota-by-descriptor" "call quotactl_fd": quotactl_fd SYS_quotactl_fd (NO_FD, 0, 0, 0);
    "swap-on" "add a swap file": swapon SYS_swapon (NOWHERE, 0);
    "swap-off" "remove a swap file": swapoff SYS_swapoff (NOWHERE);
    "reboot" "call reboot": reboot SYS_reboot (0, 0, 0, 0);
    "account" "call acct": acct SYS_acct (NOWHERE);
    // The log's size.
    "kernel-log" "ask for the kernel's log": syslog SYS_syslog (10, 0, 0);
    "profile-cookie" "call lookup_dcookie": lookup_dcookie SYS_lookup_dcookie (0, NOWHERE, 0);
    "file-service" "call nfsservctl": nfsservctl SYS_nfsservctl (0, 0, 0);
    // A thread, but for its descriptors; and a pair of flags that the kernel refuses.
    "own-descriptors" "start a thread with descriptors, and a limit of them, of its own": clone SYS_clone (NOT_QUITE_A_THREAD, 0, 0, 0, 0);
    // A range that is none, which the kernel refuses.
    "unshare-descriptors" "give its threads descriptors, and a limit of them, of their own": close_range SYS_close_range (1, 0, libc::CLOSE_RANGE_UNSHARE);
    "send-file" "keep pages of files in a socket": sendfile SYS_sendfile (NO_FD, NO_FD, 0, 0);
    "huge-pages" "take huge pages out of the machine's pool": mmap SYS_mmap (0, 0, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB, NO_FD, 0);
    "write-through-library" "flush the host's disk": fsync SYS_fsync (NO_FD);
    "lock-library" "lock a file that it may only read": flock SYS_flock (NO_FD, libc::LOCK_SH);
    "lock-part-of-library" "lock a part of a file that it may only read": fcntl SYS_fcntl (NO_FD, libc::F_SETLK, NOWHERE);
    "lock-part-of-library-in-time" "wait until a part of such a file can be locked": fcntl SYS_fcntl (NO_FD, libc::F_SETLKW, NOWHERE);
    "lease-library" "be notified when another process opens a file (F_SETLEASE)": fcntl SYS_fcntl (NO_FD, libc::F_SETLEASE, libc::F_RDLCK);
    "watch-folder" "be notified of changes in a folder (F_NOTIFY)": fcntl SYS_fcntl (NO_FD, libc::F_NOTIFY, 0);
    "free-blocks" "ask how full the host's disk is": statfs SYS_statfs (sys::at(c"/"), NOWHERE);
    "free-blocks-of-open-file" "ask the same by an open file": fstatfs SYS_fstatfs (NO_FD, NOWHERE);
    "splice-user-memory" "call vmsplice": vmsplice SYS_vmsplice (NO_FD, 0, 0, 0);
    "splice" "call splice": splice SYS_splice (NO_FD, 0, NO_FD, 0, 1, 0);
    "tee" "call tee": tee SYS_tee (NO_FD, NO_FD, 1, 0);
    "bind-memory" "call mbind": mbind SYS_mbind (0, 0, 0, 0, 0, 0);
    "migrate-pages" "call migrate_pages": migrate_pages SYS_migrate_pages (0, 0, 0, 0);
    "move-pages" "call move_pages": move_pages SYS_move_pages (0, 0, 0, 0, 0, 0);
    "memory-policy" "call set_mempolicy": set_mempolicy SYS_set_mempolicy (usize::MAX, 0, 0);
    "secret-memory" "make memory that the kernel can't see": memfd_secret SYS_memfd_secret (0);
    "own-ruleset" "call landlock_create_ruleset": landlock_create_ruleset SYS_landlock_create_ruleset (0, 0, 1);
    "own-filter-with-listener" "install a filter that another process decides for": seccomp SYS_seccomp (1, 1 << 3, NOWHERE);
    "compare-processes" "call kcmp": kcmp SYS_kcmp (0, 0, usize::MAX, 0, 0);
    "remap-file-pages" "call remap_file_pages": remap_file_pages SYS_remap_file_pages (NOWHERE, 0, 0, 0, 0);
    "read-ahead" "call readahead": readahead SYS_readahead (NO_FD, 0, 0);
    "adjust-clock" "call clock_adjtime": clock_adjtime SYS_clock_adjtime (usize::MAX >> 33, NOWHERE);
    "type-on-terminal" "type into the terminal that its log goes to (TIOCSTI)": ioctl SYS_ioctl (2, libc::TIOCSTI, sys::at(c"x"));
    "terminal-selection" "paste into the console that its log goes to (TIOCLINUX)": ioctl SYS_ioctl (2, TIOCLINUX, sys::at(c"\x02"));
};

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("granted-write-through", "flush the host's disk (fsync)", |_| {
        needs_descriptor("fsync", libc::SYS_fsync)
    })
    .under(Variant::Scratch),
    Attempt::new("granted-write-data-through", "flush the host's disk (fdatasync)", |_| {
        needs_descriptor("fdatasync", libc::SYS_fdatasync)
    })
    .under(Variant::Scratch),
    Attempt::again(
        "lease-library",
        "granted-lease-library",
        "be notified when another process opens a file (F_SETLEASE)",
    )
    .under(Variant::Scratch),
    Attempt::again("watch-folder", "granted-watch-folder", "be notified of changes in a folder (F_NOTIFY)")
        .under(Variant::Scratch),
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
