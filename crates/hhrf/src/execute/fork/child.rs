//! A zygote's child as the host sees it: a socket, a pipe, and its number.

use super::child_table::ChildEnd;
use super::wear::Verdict;
use super::zygote::Zygote;
use crate::execute::demand::IdlePermit;
use crate::execute::stderr_log::StderrLog;
use crate::limiter::Permit;
use rustix::fd::OwnedFd;
use std::sync::Arc;

/// A child that waits for its request.
#[derive(Debug)]
pub(super) struct Child {
    /// Dropped first: the fields are dropped in this order.
    pub(super) handle: Handle,
    /// The host's end of the socket for request and response.
    pub(super) socket: OwnedFd,
    /// The host's end of its log.
    pub(super) stderr: OwnedFd,
}

/// An idle child, with its permit.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) child: Child,
    pub(super) _permit: IdlePermit,
}

/// Refers to a child of a zygote. If it is dropped without `leave`, the child leaves as unused.
#[derive(Debug)]
pub(super) struct Handle {
    number: u64,
    zygote: Arc<Zygote>,
}

/// How the host is done with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It had no request, and exits by itself.
    Unused,
    /// It has answered, and exits by itself.
    Answered,
    /// Its response is invalid: it is killed.
    Invalid,
    /// It missed its deadline, or its client went away: it is killed.
    GivenUp,
}

/// What a request holds until its process is gone.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) stderr: StderrLog,
    pub(super) permits: [Permit; 2],
}

impl Leave {
    /// Whether the child is killed.
    pub(super) fn is_by_force(self) -> bool {
        match self {
            Self::Unused | Self::Answered => false,
            Self::Invalid | Self::GivenUp => true,
        }
    }

    /// The verdict on the child, unless its exit is worse.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Unused | Self::Answered => Verdict::Normal,
            Self::Invalid => Verdict::Abnormal,
            Self::GivenUp => Verdict::GivenUp,
        }
    }
}

impl Handle {
    pub(super) fn new(number: u64, zygote: Arc<Zygote>) -> Self {
        Self { number, zygote }
    }

    /// Marks it as having a request. Returns whether it lives, as far as is known.
    pub(super) fn assign(&self) -> bool {
        self.zygote.assign(self.number)
    }

    /// Waits for its end, once it can't respond any more; `None`: its zygote has ended with it.
    pub(super) async fn end(&self) -> Option<ChildEnd> {
        self.zygote.end_of(self.number).await
    }

    /// The request is done with it. What the request `held` is released when the child is gone.
    pub(super) fn leave(&self, leave: Leave, held: Held) {
        self.zygote.leave(self.number, leave, Some(held));
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Has no effect if it has left already.
        self.zygote.leave(self.number, Leave::Unused, None);
    }
}

impl Held {
    /// The process is gone: logs its last lines, then releases its permits.
    pub(super) fn release(self) {
        self.stderr.finish();
        drop(self.permits);
    }
}
