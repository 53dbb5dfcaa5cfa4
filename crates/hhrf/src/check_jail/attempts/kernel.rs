//! System calls that expose much of the kernel, or are for administrators: each with arguments that do nothing.

use crate::check_jail::attempt::{Attempt, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("bpf-map", "make a BPF map"),
    Attempt::new("bpf-program", "load a BPF program"),
    Attempt::new("io-uring", "make an io_uring"),
    Attempt::new("io-uring-enter", "submit to an io_uring"),
    Attempt::new("io-uring-register", "register with an io_uring"),
    Attempt::new("perf-event", "measure by perf_event_open"),
    Attempt::new("userfaultfd", "handle page faults by itself"),
    Attempt::new("add-key", "add a key to a keyring"),
    Attempt::new("request-key", "ask for a key"),
    Attempt::new("keyring-id", "find the session's keyring"),
    Attempt::new("load-kernel", "load another kernel"),
    Attempt::new("load-kernel-file", "load another kernel from a file"),
    Attempt::new("load-module", "load a kernel module"),
    Attempt::new("load-module-file", "load a kernel module from a file"),
    Attempt::new("unload-module", "unload a kernel module"),
    Attempt::new("watch-files", "watch files by fanotify"),
    Attempt::new("mark-files", "call fanotify_mark"),
    Attempt::new("handle-of-file", "ask for a file's handle"),
    Attempt::new("file-by-handle", "call open_by_handle_at"),
    Attempt::new("quota", "ask for a quota"),
    Attempt::new("quota-by-descriptor", "call quotactl_fd"),
    Attempt::new("swap-on", "add a swap file"),
    Attempt::new("swap-off", "remove a swap file"),
    Attempt::new("reboot", "call reboot"),
    Attempt::new("account", "call acct"),
    Attempt::new("kernel-log", "ask for the kernel's log"),
    Attempt::new("profile-cookie", "call lookup_dcookie"),
    Attempt::new("file-service", "call nfsservctl"),
    Attempt::new("own-descriptors", "start a thread with descriptors, and a limit of them, of its own"),
    Attempt::new("unshare-descriptors", "give its threads descriptors, and a limit of them, of their own"),
    Attempt::new("send-file", "keep pages of files in a socket"),
    Attempt::new("huge-pages", "take huge pages out of the machine's pool"),
    Attempt::new("write-through-library", "flush the host's disk"),
    Attempt::new("granted-write-through", "flush the host's disk (fsync)")
        .under(Variant::Scratch)
        .call("write-through"),
    Attempt::new("granted-write-data-through", "flush the host's disk (fdatasync)")
        .under(Variant::Scratch)
        .call("write-data-through"),
    Attempt::new("lock-library", "lock a file that it may only read"),
    Attempt::new("lock-part-of-library", "lock a part of a file that it may only read"),
    Attempt::new("lock-part-of-library-in-time", "wait until a part of such a file can be locked"),
    Attempt::new("lease-library", "be notified when another process opens a file (F_SETLEASE)"),
    Attempt::new("granted-lease-library", "be notified when another process opens a file (F_SETLEASE)")
        .under(Variant::Scratch)
        .call("lease-library"),
    Attempt::new("watch-folder", "be notified of changes in a folder (F_NOTIFY)"),
    Attempt::new("granted-watch-folder", "be notified of changes in a folder (F_NOTIFY)")
        .under(Variant::Scratch)
        .call("watch-folder"),
    Attempt::new("free-blocks", "ask how full the host's disk is"),
    Attempt::new("free-blocks-of-open-file", "ask the same by an open file"),
    Attempt::new("splice-user-memory", "call vmsplice"),
    Attempt::new("splice", "call splice"),
    Attempt::new("tee", "call tee"),
    Attempt::new("bind-memory", "call mbind"),
    Attempt::new("migrate-pages", "call migrate_pages"),
    Attempt::new("move-pages", "call move_pages"),
    Attempt::new("memory-policy", "call set_mempolicy"),
    Attempt::new("secret-memory", "make memory that the kernel can't see"),
    Attempt::new("own-ruleset", "call landlock_create_ruleset"),
    Attempt::new("own-filter-with-listener", "install a filter that another process decides for"),
    Attempt::new("compare-processes", "call kcmp"),
    Attempt::new("remap-file-pages", "call remap_file_pages"),
    Attempt::new("read-ahead", "call readahead"),
    Attempt::new("adjust-clock", "call clock_adjtime"),
    Attempt::new("type-on-terminal", "type into the terminal that its log goes to (TIOCSTI)"),
    Attempt::new("terminal-selection", "paste into the console that its log goes to (TIOCLINUX)"),
];
