//! What a connection still has to do for its client: requests in flight, and responses that aren't fully written.

use crate::memory::{Accounts, DataRate, Holding, Memory};
use crate::stream;
use crate::unwritten::UnwrittenHeads;
use crate::watched::Writes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The requests and responses of one connection.
#[derive(Debug)]
pub(crate) struct WriteTracker {
    state: Mutex<State>,
    rate: DataRate,
    /// Ends the connection, where one response can't be ended alone (HTTP/1).
    stop: CancellationToken,
}

#[derive(Debug)]
struct State {
    /// Responses that were handed to the connection, and whose bytes aren't all written yet.
    unsent: usize,
    requests: usize,
    idle_since: Instant,
    heads: UnwrittenHeads,
}

/// A request in flight on the connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct TrackedRequest(Arc<WriteTracker>);

/// A response whose bytes aren't all written, until it is dropped.
#[derive(Debug)]
pub(crate) struct Unsent(Arc<WriteTracker>);

/// A response without a body, until hyper has taken its head.
#[derive(Debug)]
pub(crate) struct OnlyHead {
    bytes: usize,
    tracker: Arc<WriteTracker>,
}

/// A client that hasn't read a response by then holds memory that others need. A large response may take longer, at the
/// minimum data rate.
const RESPONSE_SEND_MAX: Duration = Duration::from_secs(120);

/// How late the host may notice that a connection is idle.
const CHECK_EVERY: Duration = Duration::from_secs(5);

impl WriteTracker {
    /// For a new connection. What belongs to no request is charged to `accounts`; the client must read responses at
    /// `rate` at least.
    pub(crate) fn new(memory: &Arc<Memory>, accounts: Accounts, rate: DataRate) -> Arc<Self> {
        let heads = UnwrittenHeads::new(Arc::clone(memory), accounts);
        let state = State { unsent: 0, requests: 0, idle_since: Instant::now(), heads };
        Arc::new(Self { state: Mutex::new(state), rate, stop: CancellationToken::new() })
    }

    pub(crate) fn begin(self: &Arc<Self>) -> TrackedRequest {
        self.lock().requests += 1;
        TrackedRequest(Arc::clone(self))
    }

    /// A response of `bytes` begins, if their number is known; `holding` is its memory. A client that doesn't read it in
    /// time loses its stream, or its HTTP/1.1 connection, by the token.
    pub(crate) fn owe(
        self: &Arc<Self>,
        bytes: Option<usize>,
        holding: &Holding,
    ) -> (Unsent, CancellationToken) {
        self.lock().unsent += 1;
        let stop = stream::stop().unwrap_or_else(|| self.stop.clone());
        if let Some(bytes) = bytes {
            holding.wait_for_client(&stop, Some(RESPONSE_SEND_MAX.max(self.rate.time_for(bytes))));
        }
        (Unsent(Arc::clone(self)), stop)
    }

    /// A response without a body begins; its head takes `bytes`.
    pub(crate) fn owe_head(self: &Arc<Self>, bytes: usize) -> OnlyHead {
        OnlyHead { bytes, tracker: Arc::clone(self) }
    }

    /// Has hyper serve the connection, and after each poll records what was written.
    pub(crate) async fn follow<F: Future>(&self, mut served: Pin<&mut F>, writes: &Writes) -> F::Output {
        std::future::poll_fn(|context| {
            let polled = served.as_mut().poll(context);
            self.lock().heads.update(writes);
            polled
        })
        .await
    }

    /// Waits until a request is in flight, or a response isn't fully written. Nothing wakes its task: it must be polled
    /// after [`follow`](Self::follow), in the same task.
    pub(crate) async fn busy(&self) {
        let poll = || if self.lock().is_quiet() { Poll::Pending } else { Poll::Ready(()) };
        std::future::poll_fn(|_| poll()).await;
    }

    /// Waits until the connection must end because the client reads a response too slowly.
    pub(crate) async fn overdue(&self) {
        self.stop.cancelled().await;
    }

    /// Whether it must end for that reason.
    pub(crate) fn is_overdue(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until there was no request for `idle_max`.
    pub(crate) async fn idle(&self, idle_max: Duration) {
        let mut left = idle_max;
        while !left.is_zero() {
            tokio::time::sleep(left).await;
            let state = self.lock();
            let check_again = idle_max.min(CHECK_EVERY);
            left = if state.is_quiet() {
                idle_max.saturating_sub(state.idle_since.elapsed())
            } else {
                check_again
            };
        }
    }

    /// Waits until no request is in flight and every response is written; for at least a moment, since a request may
    /// still be on its way here.
    pub(crate) async fn settled(&self) {
        const A_MOMENT: Duration = Duration::from_millis(500);
        loop {
            tokio::time::sleep(A_MOMENT).await;
            if self.lock().is_quiet() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// To be called after each end. The clock is read only after the last one.
    fn may_be_idle(&mut self) {
        if self.requests == 0 && self.unsent == 0 {
            self.idle_since = Instant::now();
        }
    }

    fn is_quiet(&self) -> bool {
        self.requests == 0 && self.unsent == 0 && self.heads.is_empty()
    }
}

impl Drop for TrackedRequest {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.may_be_idle();
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.unsent -= 1;
        state.may_be_idle();
    }
}

impl Drop for OnlyHead {
    /// hyper has dropped the body, so it has taken the head.
    fn drop(&mut self) {
        let WriteTracker { state, stop, .. } = &*self.tracker;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.heads.add(self.bytes, stop).is_err() {
            // The client doesn't read, and its budget is used up.
            stop.cancel();
        }
    }
}
