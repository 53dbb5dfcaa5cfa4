//! What only x86-64 has: system calls of 32 bits and of x32, ports and segments, and the oldest calls.

use crate::check_jail::attempt::{Attempt, Expected};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("port-rights", "get rights to all ports"),
    Attempt::new("port-right", "get the right to a port"),
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
