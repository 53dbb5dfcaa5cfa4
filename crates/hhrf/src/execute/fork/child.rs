//! A zygote's child as the host sees it: a socket, a pipe, and a number to call it by.

use super::child_table::ChildEnd;
use super::wear::Verdict;
use super::zygote::Zygote;
use crate::execute::demand::IdlePermit;
use crate::execute::stderr_log::StderrLog;
use crate::limiter::Permit;
use rustix::fd::OwnedFd;
use std::sync::Arc;

/// A process that waits for its request.
#[derive(Debug)]
pub(super) struct Child {
    /// Closed behind the next, in this order.
    pub(super) handle: Handle,
    /// The host's end of the socket for request and response.
    pub(super) socket: OwnedFd,
    /// The host's end of its log.
    pub(super) stderr: OwnedFd,
}

/// One that waits for its request, with the permit for that.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) child: Child,
    pub(super) _permit: IdlePermit,
}

/// Whom to ask about a child. Dropped before it was told to leave, it lets it leave by itself.
#[derive(Debug)]
pub(super) struct Handle {
    number: u64,
    zygote: Arc<Zygote>,
}

/// How host and child part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It had nothing to do, and ends by itself.
    Unused,
    /// It has answered, and ends by itself.
    Answered,
    /// What it answered is no response: it is killed.
    Invalid,
    /// It took too long for its deadline, or for its client: it is killed.
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

    /// What is to be said of the child, unless its own end says worse.
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

    /// Gives it its request. Returns whether it lives, as far as is known.
    pub(super) fn assign(&self) -> bool {
        self.zygote.assign(self.number)
    }

    /// Waits for its end where its response can't come any more; `None`: its zygote has ended with it.
    pub(super) async fn end(&self) -> Option<ChildEnd> {
        self.zygote.end_of(self.number).await
    }

    /// Nobody waits for it any more. What its request `held` is given back when it is gone.
    pub(super) fn leave(&self, leave: Leave, held: Held) {
        self.zygote.leave(self.number, leave, Some(held));
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Who has left already does nothing more.
        self.zygote.leave(self.number, Leave::Unused, None);
    }
}

impl Held {
    /// The process is gone: its last words are there, and whoever gets its permits finds nothing of it.
    pub(super) fn release(self) {
        self.stderr.finish();
        drop(self.permits);
    }
}
