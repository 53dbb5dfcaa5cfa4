//! The process's privileges: those that it has, and those that it could regain.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("become-root", "become user 0"),
    Attempt::new("become-root-group", "become group 0"),
    Attempt::new("set-group-list", "change its list of groups"),
    Attempt::new("change-personality", "switch off address space randomization"),
    Attempt::new("effective-capabilities", "use a capability"),
    Attempt::new("permitted-capabilities", "find a capability that it may use"),
    Attempt::new("inheritable-capabilities", "find a capability that programs inherit"),
    Attempt::new("bounding-capabilities", "find a capability that a program could give it"),
    Attempt::new("ambient-capabilities", "find a capability that every program would have"),
    Attempt::new("become-root-by-setresuid", "become user 0 by setresuid"),
    Attempt::new("become-root-by-setfsuid", "open files as user 0"),
    Attempt::new("new-privileges", "find itself without no_new_privs"),
    Attempt::new("dumpable", "find itself dumpable, open to debuggers and core files"),
    Attempt::new("become-dumpable", "make itself dumpable, open to debuggers and core files"),
    Attempt::new("regain-capability", "get the capability that a zygote keeps"),
    Attempt::new(
        "use-regained-capability",
        "mount, or change namespaces, by the capability that a zygote keeps",
    ),
    Attempt::new("change-securebits", "change how capabilities are given"),
    Attempt::new("raise-limits-by-setrlimit", "raise a limit by setrlimit"),
    Attempt::new("raise-limits-by-prlimit", "raise a limit by prlimit"),
    Attempt::new("core-files", "be able to write a core file"),
    Attempt::new("raise-priority", "raise its priority"),
    Attempt::new("real-time-scheduling", "keep a processor for itself"),
];
