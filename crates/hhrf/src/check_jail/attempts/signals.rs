//! Signals to the check's victim, and other ways to affect a process from outside.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("kill-victim", "kill another process"),
    Attempt::new("kill-victims-thread", "kill another process by its thread (tgkill)"),
    Attempt::new("kill-by-tkill", "kill another process by its thread (tkill)"),
    Attempt::new("kill-by-queue", "kill another process by a queued signal"),
    Attempt::new("kill-by-thread-queue", "kill another process by a signal queued for its thread"),
    Attempt::new("kill-by-pidfd", "kill another process by a descriptor of it"),
    Attempt::new("kill-by-descriptor-owner", "make the kernel kill another process, as the owner of a pipe"),
    Attempt::new("signal-host", "send the host a signal"),
    Attempt::new("signal-parent", "send its parent a signal"),
    Attempt::new("signal-all", "send all processes a signal"),
    Attempt::new("change-victims-priority", "lower another process's processor priority"),
    Attempt::new("change-victims-limits", "change another process's limits"),
    Attempt::new("change-victims-scheduling", "change another process's scheduling"),
    Attempt::new("change-victims-input-priority", "lower another process's disk priority"),
];
