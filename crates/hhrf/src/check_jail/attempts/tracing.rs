//! Other processes' memory.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("trace-victim", "attach to another process as a debugger"),
    Attempt::new("seize-victim", "attach to another process without stopping it"),
    Attempt::new("be-traced-by-host", "make the host its debugger"),
    Attempt::new("read-victims-memory", "read another process's memory"),
    Attempt::new("write-victims-memory", "write another process's memory"),
    Attempt::new("open-victims-memory", "open another process's memory as a file"),
    Attempt::new("open-hosts-memory", "open the host's memory as a file"),
    Attempt::new("compare-victims-memory", "compare kernel objects with another process"),
    Attempt::new("take-victims-descriptor", "take an open file of another process"),
    Attempt::new("advise-victims-memory", "have another process's memory swapped out"),
    Attempt::new("move-victims-memory", "ask where another process's memory lies"),
    Attempt::new("read-victims-robust-list", "read an address of another process"),
    Attempt::new("call-pidfd-getfd", "call pidfd_getfd"),
    Attempt::new("call-process-madvise", "call process_madvise"),
    Attempt::new("call-process-mrelease", "call process_mrelease"),
];
