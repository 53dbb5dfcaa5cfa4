//! The interface between a pool and the way in which its processes are made.

use crate::admitted::AdmittedRequest;
use crate::execute::Failure;
use crate::execute::answer::Outcome;
use crate::execute::demand::IdlePermit;
use crate::execute::lease::{Lease, Leave};
use crate::execute::pool::Stats;
use crate::execute::request_writer::RequestWriter;
use crate::execute::response_reader::OpenChannel;
use rustix::fd::OwnedFd;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// A way to get processes for the requests of one function.
pub(in crate::execute) trait ProcessFactory: Debug + Send + Sync + 'static {
    /// Its processes.
    type Process: PooledProcess;

    /// Whether starting a process takes only microseconds of the host. Then an idle process is replaced while the
    /// request runs. Otherwise it is replaced after the request, with which the start would compete for a processor.
    const STARTS_FAST: bool;

    /// The longest that a process may be idle.
    const IDLE_MAX: Duration;

    /// Whether a request may be given to an idle process.
    fn suits_idle(&self, _request: &AdmittedRequest) -> bool {
        true
    }

    /// Whether requests may run now.
    ///
    /// # Errors
    ///
    /// The function is paused.
    fn check(&self) -> Result<(), Failure>;

    /// Starts a process for a request that waits for it until `deadline`. It has been assigned.
    ///
    /// # Errors
    ///
    /// It can't be started, or not before the deadline.
    fn start(
        self: &Arc<Self>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Self::Process, Failure>> + Send;

    /// Starts a process for a later request. Returns `None` if none can be started now.
    fn prewarm(self: &Arc<Self>) -> Option<Self::Process>;

    /// Maintains what processes are made from; is called about once a second. There has been no request for
    /// `unused_for`. Returns whether anything must be kept for later requests.
    fn tick(self: &Arc<Self>, unused_for: Duration) -> bool;

    /// The function isn't served any more: idle processes end; requests in flight are finished.
    fn retire(&self);

    /// Ends what isn't used now, because other functions need the room.
    fn make_room(&self);

    /// What the factory has, besides processes.
    fn stats(&self) -> Stats;
}

/// A process of a pool. If it is dropped, it ends.
pub(in crate::execute) trait PooledProcess: Debug + Send + Sized + 'static {
    /// Gives it a request. Returns whether it can still serve one, as far as is known.
    fn assign(&self) -> bool;

    /// Whether it ended without a request, as far as is known.
    fn has_ended(&self) -> bool;

    /// It isn't needed, and has no request: ends it. The permit is released when it is gone.
    fn discard(self, permit: IdlePermit);

    /// Gives it the request, and returns what waits for the answer; logs up to `stderr_bytes_max` of what the function
    /// writes to stderr. If the future is dropped, because the client went away, the process is killed.
    ///
    /// # Errors
    ///
    /// It didn't get the request, which comes back: see [`Unsent`].
    fn begin(
        self,
        request: AdmittedRequest,
        stderr_bytes_max: usize,
    ) -> Result<impl Future<Output = Outcome> + Send, Unsent>;
}

/// A request that its process didn't get. [`io::ErrorKind::BrokenPipe`]: the process is gone and has not read the whole
/// request. Any other error: a channel can't be watched.
pub(in crate::execute) type Unsent = (io::Error, Box<AdmittedRequest>);

/// A process that serves one request over a channel of its own.
pub(in crate::execute) trait ChannelProcess: Debug + Send + Sized + 'static {
    /// Sends the request, as much as the channel takes now. May be called once.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`]: the process is gone and has not read the whole request. Or a channel can't be
    /// watched.
    fn send(&mut self, request: &AdmittedRequest) -> io::Result<Channels>;

    /// Resolves when it has ended, if other processes could keep its channel open; otherwise the channel's end tells,
    /// and this never resolves.
    fn ended(&self) -> impl Future<Output = ()> + Send;

    /// Waits until it has ended, after [`Self::ended`] has resolved or its channel is closed; then ends what is left of
    /// it. Returns `None` if it is still there at `deadline`.
    fn end(&mut self, deadline: Instant) -> impl Future<Output = Option<ProcessEnd>> + Send;

    /// The request is done with it; the lease is released when the process is gone. `channel` is that of a complete
    /// response.
    fn release(&mut self, leave: Leave, lease: Lease, channel: Option<OpenChannel>);
}

/// The host's ends of a process's channels.
#[derive(Debug)]
pub(in crate::execute) struct Channels {
    /// Carries the request.
    pub(in crate::execute) request: RequestWriter,
    /// Carries the response.
    pub(in crate::execute) response: AsyncFd<OwnedFd>,
    /// Carries the log.
    pub(in crate::execute) stderr: OwnedFd,
}

/// How a process ended.
#[derive(Debug)]
pub(in crate::execute) struct ProcessEnd {
    /// Whether it exited with status 0: then the runner has written all that the module gave it.
    pub(in crate::execute) is_success: bool,
    /// What its end means, if there is no response.
    pub(in crate::execute) failure: Failure,
}
