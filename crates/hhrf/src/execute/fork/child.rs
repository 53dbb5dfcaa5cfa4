//! A zygote's child as the host sees it: a number, a socket and a pipe.

use super::child_table::ChildEnd;
use super::zygote::{Ordered, Zygote};
use crate::admitted::AdmittedRequest;
use crate::execute::Failure;
use crate::execute::demand::IdlePermit;
use crate::execute::lease::{Lease, Leave};
use crate::execute::process_pool::factory::{Channels, PooledProcess, ProcessEnd};
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::{OpenChannel, watch_for_response};
use rustix::fd::OwnedFd;
use std::io;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// A child that serves one request. If it is dropped without having been released, it leaves as unused.
#[derive(Debug)]
pub(super) struct Child {
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
    pub(super) fn order(zygote: &Arc<Zygote>, memory_limit_bytes: u64) -> io::Result<Option<Self>> {
        let of = |Ordered { number, socket, stderr }| {
            let streams = Some((socket, stderr));
            Self { number, zygote: Arc::clone(zygote), memory_limit_bytes, streams }
        };
        Ok(zygote.order()?.map(of))
    }

    pub(super) fn is_of(&self, zygote: &Zygote) -> bool {
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
