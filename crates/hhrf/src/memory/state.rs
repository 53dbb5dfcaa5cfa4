//! All holdings of a memory, and how some are evicted when it is full.

use super::accounts::{Account, Accounts};
use super::entry::{Entry, Peer, Wait};
use super::eviction::Search;
use super::numbers::Numbered;
use super::rate::DataRate;
use super::usage::{Full, SMALL_BYTES, Usage, Use};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(super) struct MemoryState {
    r#use: Use,
    bytes_max: usize,
    small_bytes: usize,
    large_bytes: usize,
    holdings: Numbered<Entry>,
    next: u64,
    evictable_bytes: usize,
    evictions: u64,
    slow: u64,
}

/// Why a holding can't grow.
#[derive(Debug)]
struct Shortage {
    limit: Limit,
    /// What must be freed.
    missing_bytes: usize,
}

#[derive(Debug)]
enum Limit {
    Budget,
    Large,
    Account(Arc<Account>),
}

/// An eviction frees at least this part of the budget if it can, so that in a flood not every request has to search.
const EVICTED_PART: usize = 64;

impl MemoryState {
    pub(super) fn new(r#use: Use, bytes_max: usize) -> Self {
        Self {
            r#use,
            bytes_max,
            small_bytes: 0,
            large_bytes: 0,
            holdings: Numbered::default(),
            next: 0,
            evictable_bytes: 0,
            evictions: 0,
            slow: 0,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        let Self { small_bytes, large_bytes, bytes_max, evictable_bytes, evictions, slow, .. } = *self;
        Usage { small_bytes, large_bytes, bytes_max, evictable_bytes, evictions, slow }
    }

    /// Begins an empty holding; returns its number.
    pub(super) fn open(&mut self, accounts: Accounts) -> u64 {
        let number = self.next;
        self.next += 1;
        self.holdings.insert(number, Entry { accounts, bytes: 0, wait: None });
        number
    }

    /// Has a holding take `bytes` in all. `now` is read only if others must be evicted.
    pub(super) fn charge(
        &mut self,
        number: u64,
        bytes: usize,
        now: impl Fn() -> Instant,
    ) -> Result<(), Full> {
        let full = Full { r#use: self.r#use };
        loop {
            // An evicted holding can't be charged.
            let entry = self.holdings.get(&number).ok_or(full)?;
            let more = bytes.saturating_sub(entry.bytes);
            match self.limit_against(entry, bytes) {
                None => break,
                Some(shortage) if self.evict(number, more, &shortage, now()) => {}
                Some(_) => return Err(full),
            }
        }
        self.recharge(number, bytes);
        Ok(())
    }

    /// Charges a holding to its function, too.
    pub(super) fn charge_also(&mut self, number: u64, function: &Arc<Account>) -> Result<(), Full> {
        let full = Full { r#use: self.r#use };
        let entry = self.holdings.get_mut(&number).ok_or(full)?;
        if function.taken_bytes(self.r#use) + entry.bytes > self.bytes_max / 2 {
            return Err(full);
        }
        function.recharge(self.r#use, 0, entry.bytes);
        entry.accounts.function = Some(Arc::clone(function));
        Ok(())
    }

    pub(super) fn close(&mut self, number: u64) {
        self.recharge(number, 0);
        self.holdings.remove(&number);
    }

    pub(super) fn wait_for_client(
        &mut self,
        number: u64,
        stop: CancellationToken,
        now: Instant,
        time: Option<Duration>,
    ) {
        self.release_function(number);
        self.wait(number, Wait::of(Peer::Client, stop, now, time));
    }

    /// A holding that waits for its client doesn't count for its function any more: otherwise slow clients could use up
    /// the function's half.
    fn release_function(&mut self, number: u64) {
        if let Some(entry) = self.holdings.get_mut(&number)
            && let Some(function) = entry.accounts.function.take()
        {
            function.recharge(self.r#use, entry.bytes, 0);
        }
    }

    pub(super) fn wait_for_connection(&mut self, number: u64, stop: CancellationToken, now: Instant) {
        self.wait(number, Wait::of(Peer::Connection, stop, now, None));
    }

    pub(super) fn wait_for_function(&mut self, number: u64, stop: CancellationToken, now: Instant) {
        self.wait(number, Wait::of(Peer::Function, stop, now, None));
    }

    pub(super) fn moved(&mut self, number: u64, bytes: usize, now: Instant) {
        // An empty frame is no progress.
        if bytes > 0
            && let Some(wait) = self.holdings.get_mut(&number).and_then(|entry| entry.wait.as_mut())
        {
            wait.moved_bytes += bytes as u64;
            wait.moved = now;
        }
    }

    pub(super) fn settle(&mut self, number: u64) -> Result<(), Full> {
        let entry = self.holdings.get_mut(&number).ok_or(Full { r#use: self.r#use })?;
        entry.wait = None;
        Ok(())
    }

    /// Ends the holdings whose clients are slower than `rate`, and sums up what is evictable.
    pub(super) fn look(&mut self, rate: DataRate, now: Instant) {
        let is_slow = |wait: &mut Wait| wait.peer == Peer::Client && rate.is_missed_by(wait, now);
        for wait in self.holdings.values_mut().filter_map(|entry| entry.wait.take_if(is_slow)) {
            wait.stop.cancel();
            self.slow += 1;
        }
        let evictable = self.holdings.values().filter(|entry| entry.is_evictable(now));
        self.evictable_bytes = evictable.map(|entry| entry.bytes).sum();
    }

    pub(super) fn is_evicted(&self, number: u64) -> bool {
        !self.holdings.contains_key(&number)
    }

    fn wait(&mut self, number: u64, wait: Wait) {
        match self.holdings.get_mut(&number) {
            Some(entry) => entry.wait = Some(wait),
            // It was evicted a moment ago.
            None => wait.stop.cancel(),
        }
    }

    fn limit_against(&self, entry: &Entry, bytes: usize) -> Option<Shortage> {
        let more = bytes.saturating_sub(entry.bytes);
        if more == 0 {
            return None;
        }
        let over = |limit, taken_bytes: usize, bytes_max: usize| {
            let missing_bytes = taken_bytes.saturating_sub(bytes_max);
            (missing_bytes > 0).then_some(Shortage { limit, missing_bytes })
        };
        // Accounts first, so that one that exceeds its own half evicts only its own holdings.
        let of_accounts = entry.accounts.iter().find_map(|account| {
            let limit = Limit::Account(Arc::clone(account));
            over(limit, account.taken_bytes(self.r#use) + more, self.bytes_max / 2)
        });
        // A quarter is reserved for small holdings, so that a few large ones can't fill the memory.
        let large_bytes = self.large_bytes + large_part(bytes) - large_part(entry.bytes);
        let all_bytes = self.small_bytes + self.large_bytes + more;
        of_accounts.or_else(|| over(Limit::Budget, all_bytes, self.bytes_max)).or_else(|| {
            over(Limit::Large, large_bytes, self.bytes_max / 4 * 3).filter(|_| large_part(bytes) > 0)
        })
    }

    /// Evicts holdings that count for the limit, if that frees enough for a newcomer that needs `more` bytes. Returns
    /// whether it did.
    fn evict(&mut self, newcomer: u64, more: usize, shortage: &Shortage, now: Instant) -> bool {
        let Shortage { limit, missing_bytes } = shortage;
        let Some(Entry { accounts, .. }) = self.holdings.get(&newcomer) else { return false };
        let search = Search { r#use: self.r#use, newcomer: accounts, more, now };
        let others =
            self.holdings.iter().filter(|(number, entry)| **number != newcomer && limit.counts(entry));
        let stalled = search.in_order(others, *missing_bytes);
        let enough_bytes = (*missing_bytes).max(self.bytes_max / EVICTED_PART);
        let mut freed_bytes = 0;
        for number in &stalled {
            freed_bytes += self.end(*number);
            if freed_bytes >= enough_bytes {
                break;
            }
        }
        !stalled.is_empty()
    }

    /// Evicts a holding. It isn't counted any more; its memory is freed when its task runs next.
    fn end(&mut self, number: u64) -> usize {
        let freed_bytes = self.recharge(number, 0).unwrap_or_default();
        if let Some(Entry { wait: Some(wait), .. }) = self.holdings.remove(&number) {
            wait.stop.cancel();
        }
        self.evictions += 1;
        freed_bytes
    }

    /// Returns what it was charged with before.
    fn recharge(&mut self, number: u64, bytes: usize) -> Option<usize> {
        let entry = self.holdings.get_mut(&number)?;
        let before = std::mem::replace(&mut entry.bytes, bytes);
        entry.accounts.iter().for_each(|account| account.recharge(self.r#use, before, bytes));
        self.large_bytes = self.large_bytes - large_part(before) + large_part(bytes);
        self.small_bytes = self.small_bytes - (before - large_part(before)) + (bytes - large_part(bytes));
        Some(before)
    }
}

impl Limit {
    /// Whether ending a holding helps against this limit.
    fn counts(&self, entry: &Entry) -> bool {
        match self {
            Self::Budget => true,
            Self::Large => entry.bytes > SMALL_BYTES,
            Self::Account(account) => entry.accounts.iter().any(|other| Arc::ptr_eq(account, other)),
        }
    }
}

/// What counts as large of a holding of `bytes`: all or nothing.
fn large_part(bytes: usize) -> usize {
    if bytes > SMALL_BYTES { bytes } else { 0 }
}
