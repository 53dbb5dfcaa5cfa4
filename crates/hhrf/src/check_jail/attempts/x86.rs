//! Attempts for x86-64 only: 32-bit and x32 system calls, I/O ports, segments, and obsolete calls.

use crate::check_jail::attempt::{Attempt, Expected};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("port-rights", "get access to all I/O ports"),
    Attempt::new("port-right", "get access to an I/O port"),
    Attempt::new("segment-table", "read its segment table"),
    Attempt::new("use-library", "call uselib"),
    Attempt::new("file-system-kinds", "call sysfs"),
    Attempt::new("file-system-usage", "call ustat"),
    Attempt::new("fork", "call fork"),
    Attempt::new("32-bit-getpid", "make a system call of 32 bits").expected(Expected::RefusedToOldCalls),
    Attempt::new("32-bit-open", "open a file by a system call of 32 bits")
        .expected(Expected::RefusedToOldCalls),
    Attempt::new("32-bit-socket", "open a socket by a system call of 32 bits")
        .expected(Expected::RefusedToOldCalls),
    Attempt::new("32-bit-unshare", "make a user namespace by a system call of 32 bits")
        .expected(Expected::RefusedToOldCalls),
    Attempt::new("x32-getpid", "make a system call of x32").expected(Expected::RefusedToOldCalls),
    Attempt::new("x32-socket", "open a socket by a system call of x32").expected(Expected::RefusedToOldCalls),
];
