//! A process of a function: one that can serve request after request, or one that was forked for a single request.

use super::exchange::RewindExchange;
use super::rewinder::{Rewinder, Served};
use crate::admitted::AdmittedRequest;
use crate::execute::answer::Outcome;
use crate::execute::demand::IdlePermit;
use crate::execute::fork::{Child, ChildOf, Zygote};
use crate::execute::process_pool::exchange::Exchange;
use crate::execute::process_pool::factory::{PooledProcess, Unsent};
use fezz_rewind::{Listener, Rewindable};
use rustix::fd::OwnedFd;
use rustix::process::Pid;
use std::io;
use std::sync::Weak;
use tokio::io::unix::AsyncFd;

/// A child that waits for a request, in the state of its snapshot.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) child: Child,
    /// Passes the system calls to the host that the filter doesn't know as harmless.
    pub(super) listener: AsyncFd<Listener>,
    pub(super) memory: Rewindable,
    /// Whether it took long to find out what it has written: it has much memory, or many mappings.
    pub(super) is_slow: bool,
    pub(super) process: Pid,
    /// Where it parks: the address after the runner's own instruction. No other is trusted.
    pub(super) stub: u64,
    /// The address of the buffer for a request.
    pub(super) buffer: u64,
    /// The call in which it waits.
    pub(super) call: u64,
    /// The host's end of its log, from which reading doesn't block; a request that it serves has it.
    pub(super) stderr: Option<OwnedFd>,
}

/// A process of the pool. The pool of its function is behind the second field.
#[derive(Debug)]
pub(super) enum Instance {
    /// For one request.
    Forked(Child, Weak<Rewinder>),
    /// For request after request.
    Parked(Box<Parked>, Weak<Rewinder>),
}

enum Begun {
    Forked(Exchange<Child>),
    Parked(RewindExchange),
}

impl Instance {
    fn child(&self) -> &Child {
        match self {
            Self::Forked(child, _) => child,
            Self::Parked(parked, _) => &parked.child,
        }
    }
}

impl Parked {
    /// Whether it still waits: its number and what was opened by it still mean the same process.
    pub(super) fn is_waiting(&self) -> bool {
        self.listener.get_ref().is_waiting(self.call).unwrap_or(false)
    }
}

impl ChildOf for Instance {
    fn is_of(&self, zygote: &Zygote) -> bool {
        self.child().is_of(zygote)
    }
}

impl PooledProcess for Instance {
    fn assign(&self) -> bool {
        let may_serve = match self {
            Self::Forked(..) => true,
            // The verdict may be the work of another pool of the function.
            Self::Parked(_, rewinder) => rewinder.upgrade().is_some_and(|rewinder| rewinder.may_rewind()),
        };
        may_serve && self.child().assign()
    }

    fn has_ended(&self) -> bool {
        self.child().has_ended()
    }

    fn discard(self, permit: IdlePermit) {
        match self {
            Self::Forked(child, _) => child.discard(permit),
            Self::Parked(parked, _) => parked.child.replace(),
        }
    }

    fn begin(
        self,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<impl Future<Output = Outcome> + Send, Unsent> {
        let begun = match self {
            Self::Forked(child, rewinder) => {
                if let Some(rewinder) = rewinder.upgrade() {
                    rewinder.count(Served::Forked);
                }
                Begun::Forked(Exchange::begin(child, request, stderr_bytes_max)?)
            }
            Self::Parked(parked, rewinder) => match rewinder.upgrade() {
                Some(rewinder) => {
                    Begun::Parked(RewindExchange::begin(*parked, rewinder, request, stderr_bytes_max)?)
                }
                // Its pool is gone.
                None => return Err((io::ErrorKind::BrokenPipe.into(), Box::new(request))),
            },
        };
        Ok(async move {
            match begun {
                Begun::Forked(exchange) => exchange.answer().await,
                Begun::Parked(exchange) => exchange.answer().await,
            }
        })
    }
}
