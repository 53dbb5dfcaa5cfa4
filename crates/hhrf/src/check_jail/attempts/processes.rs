//! Starting processes and programs.

use crate::check_jail::attempt::{Attempt, Expected, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("clone", "start a process"),
    Attempt::new("clone-as-brother", "start a process whose parent is the host"),
    Attempt::new("clone-without-signal", "start a process whose end nobody hears of"),
    Attempt::new("clone3", "start a process by clone3"),
    Attempt::new("vfork", "start a process in its own memory"),
    Attempt::new("start-shell", "start a shell").needs("/bin/sh"),
    Attempt::new("start-set-uid-program", "start a program with the rights of its owner")
        .needs("/usr/bin/su"),
    Attempt::new("execute-shell", "become a shell").expected(Expected::NotReplaced).needs("/bin/sh"),
    Attempt::new("execute-runner", "become the runner, anew").expected(Expected::NotReplaced),
    Attempt::new("execute-loader", "become the loader of programs").expected(Expected::NotReplaced),
    Attempt::new("execute-program-by-loader", "become a shell by way of the loader")
        .expected(Expected::NotReplaced),
    Attempt::new("execute-by-descriptor", "become a program that it opened").expected(Expected::NotReplaced),
    Attempt::new("execute-path-only-descriptor", "become a program that it only named")
        .expected(Expected::NotReplaced),
    Attempt::new("execute-from-memory", "become a program in its memory").expected(Expected::NotReplaced),
    Attempt::new("execute-written-file", "become a program that it wrote").expected(Expected::NotReplaced),
    Attempt::new("execute-file-in-scratch", "become a program that it wrote where it may write")
        .call("execute-written-file")
        .under(Variant::Scratch)
        .expected(Expected::NotReplaced),
    Attempt::new("memory-file", "make a file in memory"),
    Attempt::new("executable-memory-file", "make a program in memory"),
];
