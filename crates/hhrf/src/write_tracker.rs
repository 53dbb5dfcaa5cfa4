//! What a connection still owes its client: requests under way, and responses that aren't sent yet.

use crate::memory::{Accounts, DataRate, Holding, Memory};
use crate::response_body::ResponseBody;
use crate::stream;
use crate::unwritten::UnwrittenHeads;
use crate::watched::Writes;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The requests and responses of one connection.
#[derive(Debug)]
pub struct WriteTracker {
    state: Mutex<State>,
    rate: DataRate,
    /// Ends the connection, where a response can't be ended without it.
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

/// A request under way on the connection, until it is dropped.
#[derive(Debug)]
pub struct TrackedRequest(Arc<WriteTracker>);

/// A response whose bytes aren't all written, until it is dropped.
#[derive(Debug)]
pub(crate) struct Unsent(Arc<WriteTracker>);

/// A response whose head is all of it, until hyper has that.
#[derive(Debug)]
pub(crate) struct OnlyHead {
    bytes: usize,
    tracker: Arc<WriteTracker>,
}

/// A client that hasn't taken a response by then holds memory that others need; unless the demanded rate gives it longer.
const RESPONSE_SEND_MAX: Duration = Duration::from_secs(120);

/// How late may be noticed that a connection is idle.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl WriteTracker {
    /// Of a connection that has just begun. What isn't a request's own is charged to `accounts`; its client takes responses
    /// at `rate` at least.
    pub fn new(memory: &Arc<Memory>, accounts: Accounts, rate: DataRate) -> Arc<Self> {
        let heads = UnwrittenHeads::new(Arc::clone(memory), accounts);
        let state = State { unsent: 0, requests: 0, idle_since: Instant::now(), heads };
        Arc::new(Self { state: Mutex::new(state), rate, stop: CancellationToken::new() })
    }

    /// A request has begun.
    pub fn begin(self: &Arc<Self>) -> TrackedRequest {
        self.lock().requests += 1;
        TrackedRequest(Arc::clone(self))
    }

    /// Makes a body of the bytes, which keeps their memory charged until the last of them has been written. A client that
    /// doesn't take it in time loses its stream, or its HTTP/1.1 connection.
    pub fn owe(self: &Arc<Self>, bytes: Bytes, holding: Holding) -> ResponseBody {
        self.lock().unsent += 1;
        let stop = stream::stop().unwrap_or_else(|| self.stop.clone());
        let time = RESPONSE_SEND_MAX.max(self.rate.time_for(bytes.len()));
        holding.wait_for_client(&stop, Some(time));
        ResponseBody::owed(bytes, holding, stop, Unsent(Arc::clone(self)))
    }

    /// Makes a body of no bytes for a response whose head takes `bytes`.
    pub(crate) fn owe_head(self: &Arc<Self>, bytes: usize) -> ResponseBody {
        ResponseBody::empty(OnlyHead { bytes, tracker: Arc::clone(self) })
    }

    /// Has hyper serve the connection, and sees after each of its turns what was written.
    pub async fn follow<F: Future>(&self, mut served: Pin<&mut F>, writes: &Writes) -> F::Output {
        std::future::poll_fn(|context| {
            let polled = served.as_mut().poll(context);
            self.lock().heads.end_turn(writes);
            polled
        })
        .await
    }

    /// Waits until the connection should be ended: a response isn't taken as it should be.
    pub async fn overdue(&self) {
        self.stop.cancelled().await;
    }

    /// Whether it should be.
    pub fn is_overdue(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until there was no request for `idle_max`.
    pub async fn idle(&self, idle_max: Duration) {
        let mut left = idle_max;
        while !left.is_zero() {
            tokio::time::sleep(left).await;
            let state = self.lock();
            let look_again = idle_max.min(LOOK_EVERY);
            left = if state.is_quiet() {
                idle_max.saturating_sub(state.idle_since.elapsed())
            } else {
                look_again
            };
        }
    }

    /// Waits until nothing is owed any more, for a moment at least: what has begun may still be on its way here.
    pub async fn settled(&self) {
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
    fn is_quiet(&self) -> bool {
        self.requests == 0 && self.unsent == 0 && self.heads.is_empty()
    }
}

impl Drop for TrackedRequest {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.idle_since = Instant::now();
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.unsent -= 1;
        state.idle_since = Instant::now();
    }
}

impl Drop for OnlyHead {
    /// hyper has dropped the body, and so has the head.
    fn drop(&mut self) {
        let WriteTracker { state, stop, .. } = &*self.tracker;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.heads.add(self.bytes, stop).is_err() {
            // Who doesn't read, and has all that it may have, gets no more.
            stop.cancel();
        }
    }
}
