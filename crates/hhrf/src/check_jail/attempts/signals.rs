//! Signals to the check's victim, and other ways to meddle with a process from outside.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("kill-victim", "kill another process"),
    Attempt::new("kill-victims-thread", "kill another process by its thread (tgkill)"),
    Attempt::new("kill-by-tkill", "kill another process by its thread (tkill)"),
    Attempt::new("kill-by-queue", "kill another process by a queued signal"),
    Attempt::new("kill-by-thread-queue", "kill another process by a signal queued for its thread"),
    Attempt::new("kill-by-pidfd", "kill another process by a descriptor of it"),
    Attempt::new("kill-by-descriptor-owner", "have the kernel kill another process, as the owner of a pipe"),
    Attempt::new("signal-host", "reach the host by a signal"),
    Attempt::new("signal-parent", "reach its parent by a signal"),
    Attempt::new("signal-all", "reach all processes that it may signal"),
    Attempt::new("change-victims-priority", "take processor time from another process"),
    Attempt::new("change-victims-limits", "change another process's limits"),
    Attempt::new("change-victims-scheduling", "change another process's scheduling"),
    Attempt::new("change-victims-input-priority", "take a disk's time from another process"),
];
