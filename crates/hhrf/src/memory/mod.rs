//! Memory that requests or responses hold: a budget in which every byte is charged before it is held.
//!
//! A [`Holding`] is charged to its connection, its client's address and its function, each of which has an `Account`
//! and may hold half of the budget. When the budget or an account is full, holdings that wait for a stalled peer are
//! evicted (`eviction`). A newcomer is refused if too little can be.

mod accounts;
mod cost;
mod entry;
mod eviction;
mod holding;
mod numbers;
mod rate;
mod state;
mod usage;

pub(crate) use accounts::{Account, Accounts, Addresses};
pub(crate) use cost::{is_large_head, request_bytes, response_bytes};
pub use holding::Holding;
pub use rate::DataRate;
pub use usage::{Full, Use};
pub(crate) use usage::{MEMORY_BYTES_MIN, SMALL_BYTES, Usage};

use state::MemoryState;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A budget in bytes, for one use.
#[derive(Debug)]
pub(crate) struct Memory {
    state: Mutex<MemoryState>,
}

impl Memory {
    /// A budget of `bytes_max`, all of it free.
    pub(crate) fn new(r#use: Use, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(MemoryState::new(r#use, bytes_max)) })
    }

    pub(crate) fn usage(&self) -> Usage {
        self.lock().usage()
    }

    /// Each second, ends the holdings whose clients are slower than `rate`.
    pub(crate) async fn keep_rate(&self, rate: DataRate) -> Infallible {
        const EVERY: Duration = Duration::from_secs(1);
        loop {
            tokio::time::sleep(EVERY).await;
            self.lock().look(rate, Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, MemoryState> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests;
