//! Memory that requests or responses hold: a budget in which every byte is charged before it is held.
//!
//! A [`Holding`] is charged to its connection, its client's address and its function, each of which has an [`Account`]
//! and may hold half of the budget. When the budget or an account is full, holdings that wait for a stalled peer are
//! evicted (`eviction`). A newcomer is refused if too little can be.

mod accounts;
mod cost;
mod eviction;
mod holding;
mod rate;
mod state;

pub use accounts::{Account, Accounts, Addresses};
pub use cost::{is_large_head, request_bytes, response_bytes};
pub use holding::{Full, Holding};
pub use rate::DataRate;

use state::MemoryState;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Heads and bodies, from a request's head to the end of its process.
    Requests,
    /// Responses, from before the function runs until the last byte is written.
    Responses,
}

impl fmt::Display for Use {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Requests => "requests",
            Self::Responses => "responses",
        })
    }
}

/// A budget in bytes, for one use.
#[derive(Debug)]
pub struct Memory {
    state: Mutex<MemoryState>,
}

/// How much of a memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// By holdings of up to [`SMALL_BYTES`].
    pub small_bytes: usize,
    /// By larger ones.
    pub large_bytes: usize,
    /// The budget.
    pub bytes_max: usize,
    /// By holdings that could be evicted; at most a second old.
    pub evictable_bytes: usize,
    /// How many holdings were evicted since the start.
    pub evictions: u64,
    /// How many were ended because their clients were below the minimum data rate.
    pub slow: u64,
}

/// The largest small holding: nearly all requests and responses are small. Also what is reserved for a response before
/// its function runs.
pub const SMALL_BYTES: usize = 64 * 1024;

/// The smallest budget: a request with the largest head, or a reserved response, is a small part of it.
pub const MEMORY_BYTES_MIN: usize = 1024 * 1024;

impl Memory {
    /// A budget of `bytes_max`, all of it free.
    pub fn new(r#use: Use, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(MemoryState::new(r#use, bytes_max)) })
    }

    /// Charges `bytes` to `accounts` until the holding is dropped.
    ///
    /// # Errors
    ///
    /// [`Full`]: the budget or an account is, and nothing can be evicted.
    pub fn hold(self: &Arc<Self>, accounts: Accounts, bytes: usize) -> Result<Holding, Full> {
        let number = self.lock().open(accounts);
        // Dropped if the charge fails.
        let holding = Holding::new(Arc::clone(self), number);
        holding.resize(bytes)?;
        Ok(holding)
    }

    /// The same, but waits a moment until holdings that have just stalled can be evicted.
    ///
    /// # Errors
    ///
    /// [`Full`], after that moment.
    pub async fn hold_soon(self: &Arc<Self>, accounts: Accounts, bytes: usize) -> Result<Holding, Full> {
        const PAUSE: Duration = Duration::from_millis(20);
        let wait_until = Instant::now() + 2 * eviction::STALLED_AFTER;
        loop {
            match self.hold(accounts.clone(), bytes) {
                Err(_) if Instant::now() < wait_until => tokio::time::sleep(PAUSE).await,
                held => return held,
            }
        }
    }

    /// How much is taken.
    pub fn usage(&self) -> Usage {
        self.lock().usage()
    }

    /// Each second, ends the holdings whose clients are slower than `rate`.
    pub async fn keep_rate(&self, rate: DataRate) -> Infallible {
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

impl Usage {
    /// Whether so much is taken that the next requests may be refused. Evictable memory doesn't count: otherwise a few
    /// stalled clients could take the host out of service.
    pub fn is_short(&self) -> bool {
        let taken_bytes = self.small_bytes + self.large_bytes;
        taken_bytes.saturating_sub(self.evictable_bytes) > self.bytes_max / 10 * 9
    }
}

#[cfg(test)]
pub(crate) mod tests;
