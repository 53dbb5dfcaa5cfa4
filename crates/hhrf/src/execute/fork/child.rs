//! A zygote's child as the host sees it: a number, a socket and a pipe.

use super::child_table::ChildEnd;
use super::zygote::{Ordered, Zygote};
use super::zygotes::ChildOf;
use crate::admitted::AdmittedRequest;
use crate::execute::Failure;
use crate::execute::answer::Outcome;
use crate::execute::demand::{IdlePermit, Life};
use crate::execute::lease::{Lease, Leave};
use crate::execute::process_pool::exchange::Exchange;
use crate::execute::process_pool::factory::{ChannelProcess, Channels, PooledProcess, ProcessEnd, Unsent};
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::{OpenChannel, watch_for_response};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// A child. If it is dropped without having been released, it leaves as unused.
#[derive(Debug)]
pub(in crate::execute) struct Child {
    number: u64,
    zygote: Arc<Zygote>,
    memory_limit_bytes: u64,
    /// The socket and the log, until the request is sent.
    streams: Option<(OwnedFd, OwnedFd)>,
}

impl Child {
    /// Orders it from its zygote. Returns `None` if the zygote takes no orders any more.
    ///
    /// # Errors
    ///
    /// No descriptors or no memory is left.
    pub(super) fn order(
        zygote: &Arc<Zygote>,
        life: Life,
        memory_limit_bytes: u64,
    ) -> io::Result<Option<Self>> {
        let of = |Ordered { number, socket, stderr }| {
            let streams = Some((socket, stderr));
            Self { number, zygote: Arc::clone(zygote), memory_limit_bytes, streams }
        };
        Ok(zygote.order(life)?.map(of))
    }

    /// The socket and the log; once.
    pub(in crate::execute) fn take_streams(&mut self) -> Option<(OwnedFd, OwnedFd)> {
        self.streams.take()
    }

    pub(in crate::execute) fn zygote(&self) -> &Arc<Zygote> {
        &self.zygote
    }

    /// It has served its request, and may get another. Returns whether it lives, as far as is known, and may serve.
    pub(in crate::execute) fn free(&self) -> bool {
        self.zygote.free(self.number)
    }

    /// It has no request, and is killed.
    pub(in crate::execute) fn replace(&self) {
        self.zygote.leave(self.number, Leave::Replaced, None);
    }
}

impl ChildOf for Child {
    fn is_of(&self, zygote: &Zygote) -> bool {
        std::ptr::eq(&*self.zygote, zygote)
    }
}

impl PooledProcess for Child {
    fn assign(&self) -> bool {
        self.zygote.assign(self.number)
    }

    /// Its own end is found out when it gets a request. Without its zygote it serves none.
    fn has_ended(&self) -> bool {
        self.zygote.children().is_none()
    }

    /// The end of its socket tells the child that it isn't needed.
    fn discard(self, permit: IdlePermit) {
        drop((self, permit));
    }

    fn begin(
        self,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<impl Future<Output = Outcome> + Send, Unsent> {
        Exchange::begin(self, request, stderr_bytes_max).map(Exchange::answer)
    }
}

impl ChannelProcess for Child {
    fn send(&mut self, request: &AdmittedRequest) -> io::Result<Channels> {
        let (socket, stderr) = self.streams.take().ok_or(io::ErrorKind::NotFound)?;
        let request = RequestWriter::begin_over(&socket, request)?;
        Ok(Channels { request, response: watch_for_response(socket)?, stderr })
    }

    /// No other process has its socket.
    async fn ended(&self) {
        std::future::pending().await
    }

    async fn end(&mut self, deadline: Instant) -> Option<ProcessEnd> {
        let end = timeout_at(deadline, self.zygote.end_of(self.number)).await.ok()?;
        let limit_bytes = self.memory_limit_bytes;
        let failure = match end {
            None => Failure::ZygoteEnded,
            Some(ChildEnd::NotForked(error)) => Failure::NotForked(io::Error::from_raw_os_error(error)),
            Some(ChildEnd::OutOfMemory) => Failure::OutOfMemory { limit_bytes },
            Some(ChildEnd::Exited(status)) => Failure::of_child_exit(status, limit_bytes),
        };
        let is_success = matches!(end, Some(ChildEnd::Exited(status)) if status.success());
        Some(ProcessEnd { is_success, failure })
    }

    /// The socket may be closed now: a child checks for the host's end only before it has its request.
    fn release(&mut self, leave: Leave, lease: Lease, _: Option<OpenChannel>) {
        self.zygote.leave(self.number, leave, Some(lease));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Has no effect if it has left already.
        self.zygote.leave(self.number, Leave::Unused, None);
    }
}
