//! What a request holds until its process has been reaped.

use super::stderr_log::StderrLog;
use crate::limiter::Permit;
use std::time::Duration;

/// The log and the permits of a request. They belong to its process, so they outlive the request's answer.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) stderr: StderrLog,
    pub(super) permits: [Permit; 2],
}

/// How a request is done with its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// There was no request: the process exits by itself.
    Unused,
    /// It has answered, and exits by itself.
    Answered,
    /// Its response is complete and invalid; it exits by itself.
    Invalid,
    /// Its response is certain to be invalid before it is complete: the process is killed.
    Broken,
    /// It missed its deadline, or its client went away: it is killed.
    GivenUp,
    /// It could serve another request, but shall not: it is killed.
    Replaced,
}

/// Time for a process that has answered, or isn't needed, to exit by itself, and for a wrapper to clean up.
pub(super) const EXIT_GRACE: Duration = Duration::from_millis(500);

impl Lease {
    /// The process is gone: logs its last lines, then releases its permits. So when another request gets them, the
    /// process and all that it started are gone.
    pub(super) fn release(self) {
        self.stderr.finish();
        drop(self.permits);
    }
}

impl Leave {
    /// Whether the process is killed.
    pub(super) fn is_by_force(self) -> bool {
        match self {
            Self::Unused | Self::Answered | Self::Invalid => false,
            Self::Broken | Self::GivenUp | Self::Replaced => true,
        }
    }
}
