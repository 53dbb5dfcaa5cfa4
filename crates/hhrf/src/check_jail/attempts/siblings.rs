//! Processes of the same function: under `fork` the zygote and its other children, under `spawn` the prewarmed ones.

use crate::check_jail::attempt::{Attempt, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("kill-siblings", "kill its parent, or another process of the same function"),
    Attempt::new("kill-siblings-groups", "kill a process group of theirs"),
    Attempt::new("kill-siblings-threads", "kill one by its thread (tgkill)"),
    Attempt::new("kill-siblings-by-tkill", "kill one by its thread (tkill)"),
    Attempt::new("kill-siblings-by-pidfd", "kill one by a descriptor of it"),
    Attempt::new("kill-own-group", "kill the process group that it was started in"),
    Attempt::new("trace-siblings", "attach to one as a debugger"),
    Attempt::new("read-siblings-memory", "read one's memory"),
    Attempt::new("write-siblings-memory", "write one's memory"),
    Attempt::new("open-siblings-memory", "open one's memory as a file"),
    Attempt::new("open-siblings-log", "open the pipe of one's log"),
    Attempt::new("take-siblings-descriptor", "take an open file of one"),
    Attempt::new("change-siblings-limits", "set one's limits"),
    Attempt::new("change-siblings-priority", "set one's priority"),
    Attempt::new("fork-as-zygote", "start a process as a zygote does, in a PID namespace"),
    Attempt::new("fork-as-scoped-zygote", "start a process as a zygote does that can't make namespaces"),
    Attempt::new("forge-reports", "report to the host, as its zygote, that a process has ended"),
    Attempt::new("granted-forge-reports", "report to the host, as its zygote, that a process has ended")
        .under(Variant::Network)
        .call("forge-reports"),
];
