//! A zygote's child as the host sees it: a socket, a pipe, and a number to call it by.

use super::fates::ChildEnd;
use super::zygote::Zygote;
use crate::execute::spare::Permit;
use crate::execute::stderr_log::StderrLog;
use crate::gate::Place;
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

/// One that waits ahead of its request, among those that all functions may keep.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) child: Child,
    pub(super) _permit: Permit,
}

/// Whom to ask about a child. Dropped before it was told to leave, it lets it leave by itself.
#[derive(Debug)]
pub(super) struct Handle {
    number: u64,
    zygote: Arc<Zygote>,
}

/// How a child is to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It has done its work, or was never needed, and ends by itself.
    ByItself,
    /// At once.
    Killed,
}

/// What a request holds until its process is gone.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) stderr: StderrLog,
    pub(super) places: [Place; 2],
}

impl Handle {
    pub(super) fn new(number: u64, zygote: Arc<Zygote>) -> Self {
        Self { number, zygote }
    }

    /// Whether it waits, as far as is known.
    pub(super) fn is_living(&self) -> bool {
        self.zygote.has(self.number)
    }

    /// Waits for its end; `None`: its zygote has ended with it.
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
        self.zygote.leave(self.number, Leave::ByItself, None);
    }
}

impl Held {
    /// The process is gone: its last words are there, and whoever gets its places finds nothing of it.
    pub(super) fn release(self) {
        self.stderr.finish();
        drop(self.places);
    }
}
