//! Starting processes and programs.

use crate::check_jail::attempt::{Attempt, Expected, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("clone", "start a process"),
    Attempt::new("clone-as-sibling", "start a process whose parent is the host"),
    Attempt::new("clone-without-signal", "start a process whose end sends no signal"),
    Attempt::new("clone3", "start a process by clone3"),
    Attempt::new("vfork", "start a process in its own memory"),
    Attempt::new("start-shell", "start a shell").needs("/bin/sh"),
    Attempt::new("start-set-uid-program", "start a program with the rights of its owner")
        .needs("/usr/bin/su"),
    Attempt::new("execute-shell", "execute a shell").expected(Expected::NotReplaced).needs("/bin/sh"),
    Attempt::new("execute-runner", "execute the runner again").expected(Expected::NotReplaced),
    Attempt::new("execute-loader", "execute the dynamic loader").expected(Expected::NotReplaced),
    Attempt::new("execute-program-by-loader", "execute a shell through the loader")
        .expected(Expected::NotReplaced),
    Attempt::new("execute-by-descriptor", "execute a program by its open descriptor")
        .expected(Expected::NotReplaced),
    Attempt::new(
        "execute-path-only-descriptor",
        "execute a program by a descriptor of its path alone (O_PATH)",
    )
    .expected(Expected::NotReplaced),
    Attempt::new("execute-from-memory", "execute a program from its memory").expected(Expected::NotReplaced),
    Attempt::new("execute-written-file", "execute a program that it wrote").expected(Expected::NotReplaced),
    Attempt::new("execute-file-in-scratch", "execute a program that it wrote to its scratch")
        .call("execute-written-file")
        .under(Variant::Scratch)
        .expected(Expected::NotReplaced),
    Attempt::new("memory-file", "make a file in memory"),
    Attempt::new("executable-memory-file", "make a program in memory"),
];
