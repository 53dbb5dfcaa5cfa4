//! The memory that one request or response holds.

use super::Memory;
use super::accounts::{Account, Accounts};
use super::entry::STALLED_AFTER;
use super::usage::Full;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Bytes that are charged until this is dropped.
#[derive(Debug)]
pub struct Holding {
    memory: Arc<Memory>,
    number: u64,
}

impl Memory {
    /// Charges `bytes` to `accounts` until the holding is dropped.
    ///
    /// # Errors
    ///
    /// [`Full`]: the budget or an account is, and nothing can be evicted.
    pub(crate) fn hold(self: &Arc<Self>, accounts: Accounts, bytes: usize) -> Result<Holding, Full> {
        let mut state = self.lock();
        let number = state.open(accounts);
        match state.charge(number, bytes, Instant::now) {
            Ok(()) => Ok(Holding { memory: Arc::clone(self), number }),
            Err(full) => {
                state.close(number);
                Err(full)
            }
        }
    }

    /// To be called when [`hold`](Self::hold) has failed: tries for a moment, until holdings that have just stalled can be
    /// evicted.
    ///
    /// # Errors
    ///
    /// [`Full`], after that moment.
    pub(crate) async fn hold_again(
        self: &Arc<Self>,
        accounts: Accounts,
        bytes: usize,
    ) -> Result<Holding, Full> {
        const PAUSE: Duration = Duration::from_millis(20);
        let wait_until = Instant::now() + 2 * STALLED_AFTER;
        loop {
            tokio::time::sleep(PAUSE).await;
            match self.hold(accounts.clone(), bytes) {
                Err(_) if Instant::now() < wait_until => {}
                held => return held,
            }
        }
    }
}

impl Holding {
    /// Holds `bytes` in all from now on.
    ///
    /// # Errors
    ///
    /// [`Full`]: it was evicted, or it keeps what it held.
    pub fn resize(&self, bytes: usize) -> Result<(), Full> {
        self.memory.lock().charge(self.number, bytes, Instant::now)
    }

    /// Charges it to a function, too.
    ///
    /// # Errors
    ///
    /// [`Full`]: the function holds its half.
    pub(crate) fn charge_also(&self, function: &Arc<Account>) -> Result<(), Full> {
        self.memory.lock().charge_also(self.number, function)
    }

    /// From now on it waits for its client, which must send or read bytes at the minimum data rate, and all of them
    /// within `time`. If it doesn't, or others need the memory, `stop` is cancelled.
    pub fn wait_for_client(&self, stop: &CancellationToken, time: Option<Duration>) {
        self.memory.lock().wait_for_client(self.number, stop.clone(), Instant::now(), time);
    }

    /// From now on it waits for its function. If others need the memory and the function has stalled, `stop` is
    /// cancelled.
    pub fn wait_for_function(&self, stop: &CancellationToken) {
        self.memory.lock().wait_for_function(self.number, stop.clone(), Instant::now());
    }

    /// From now on it waits for its client's connection as a whole: for the rest of a head, or for the client to read.
    /// These have their own timeouts. If others need the memory, `stop` is cancelled.
    pub(crate) fn wait_for_connection(&self, stop: &CancellationToken) {
        self.memory.lock().wait_for_connection(self.number, stop.clone(), Instant::now());
    }

    /// The peer has sent or read `bytes` more.
    pub fn moved(&self, bytes: usize) {
        self.moved_at(bytes, Instant::now());
    }

    /// The same, for a caller that has read the clock.
    pub(crate) fn moved_at(&self, bytes: usize, now: Instant) {
        self.memory.lock().moved(self.number, bytes, now);
    }

    pub(crate) fn is_evicted(&self) -> bool {
        self.memory.lock().is_evicted(self.number)
    }

    /// From now on it waits for no peer, and can't be evicted.
    ///
    /// # Errors
    ///
    /// [`Full`]: it was evicted already.
    pub(crate) fn settle(&self) -> Result<(), Full> {
        self.memory.lock().settle(self.number)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.memory.lock().close(self.number);
    }
}
