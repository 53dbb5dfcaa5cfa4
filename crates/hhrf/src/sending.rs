//! What a connection still owes its client: responses that aren't sent yet, and how long that may last.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// The requests and responses of one connection.
#[derive(Debug)]
pub struct Sending {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By number, when each response was handed to the connection whose bytes aren't all written yet.
    unsent: BTreeMap<u64, Instant>,
    next: u64,
    requests: usize,
    idle_since: Instant,
}

/// A request under way on the connection, until it is dropped.
#[derive(Debug)]
pub struct Request(Arc<Sending>);

/// A client that hasn't taken a response by then holds the memory that others' responses need.
const RESPONSE_SEND_MAX: Duration = Duration::from_secs(120);

/// How late may be noticed what is over its time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Sending {
    /// Of a connection that has just begun.
    pub fn new() -> Arc<Self> {
        let state = State { unsent: BTreeMap::new(), next: 0, requests: 0, idle_since: Instant::now() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// A request has begun.
    pub fn begin(self: &Arc<Self>) -> Request {
        self.lock().requests += 1;
        Request(Arc::clone(self))
    }

    /// Makes the same bytes, which know when the last of them has been written, and keep their memory accounted for
    /// until then.
    pub fn owe(self: &Arc<Self>, bytes: Bytes, memory: OwnedSemaphorePermit) -> Bytes {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.unsent.insert(number, Instant::now());
        drop(state);
        Bytes::from_owner(Owed { bytes, number, sending: Arc::clone(self), _memory: memory })
    }

    /// Waits until the connection should be ended: a response is unsent for too long.
    pub async fn overdue(&self) -> &'static str {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let state = self.lock();
            if state.unsent.values().next().is_some_and(|since| since.elapsed() > RESPONSE_SEND_MAX) {
                return "a response wasn't taken in time";
            }
        }
    }

    /// Waits until there was no request for `idle_max`.
    pub async fn idle(&self, idle_max: Duration) {
        let mut left = idle_max;
        while !left.is_zero() {
            tokio::time::sleep(left).await;
            let state = self.lock();
            let is_idle = state.requests == 0 && state.unsent.is_empty();
            let look_again = idle_max.min(LOOK_EVERY);
            left = if is_idle { idle_max.saturating_sub(state.idle_since.elapsed()) } else { look_again };
        }
    }

    /// Waits until nothing is owed any more, for a moment at least: what has begun may still be on its way here.
    pub async fn settled(&self) {
        const A_MOMENT: Duration = Duration::from_millis(500);
        loop {
            tokio::time::sleep(A_MOMENT).await;
            let state = self.lock();
            if state.requests == 0 && state.unsent.is_empty() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.idle_since = Instant::now();
    }
}

#[derive(Debug)]
struct Owed {
    bytes: Bytes,
    number: u64,
    sending: Arc<Sending>,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Owed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let mut state = self.sending.lock();
        state.unsent.remove(&self.number);
        state.idle_since = Instant::now();
    }
}
