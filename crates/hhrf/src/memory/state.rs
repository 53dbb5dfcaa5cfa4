//! All holdings of a memory, and which of them go when it is full.

use super::accounts::{Account, Accounts};
use super::{DataRate, Full, SMALL_BYTES, Usage, Use};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What a memory knows.
#[derive(Debug)]
pub(super) struct State {
    r#use: Use,
    bytes_max: usize,
    small_bytes: usize,
    large_bytes: usize,
    holdings: HashMap<u64, Entry>,
    next: u64,
    evictions: u64,
    slow: u64,
}

/// One holding.
#[derive(Debug)]
struct Entry {
    accounts: Accounts,
    bytes: usize,
    /// Whether a peer has it wait: only then may it be ended.
    wait: Option<Wait>,
}

/// A holding's wait for a peer.
#[derive(Debug)]
pub(super) struct Wait {
    peer: Peer,
    pub(super) since: Instant,
    /// The end of the client's time.
    pub(super) until: Option<Instant>,
    /// What the peer has sent or taken.
    pub(super) moved_bytes: u64,
    /// When it last did.
    moved: Instant,
    stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Client,
    /// A client whose head isn't whole: no rate is demanded of it.
    ClientsHead,
    Function,
}

/// What stands against a holding's growth.
#[derive(Debug)]
pub(super) enum Limit {
    Budget,
    Large,
    Account(Arc<Account>),
}

/// A holding whose peer has made progress since isn't evicted: an honest one's next bytes come sooner.
pub(super) const EVICTED_AFTER: Duration = Duration::from_millis(500);

/// An eviction frees this part of the budget if it can, so that a flood of requests has no search for each.
const EVICTED_PART: usize = 64;

impl State {
    pub(super) fn new(r#use: Use, bytes_max: usize) -> Self {
        let holdings = HashMap::new();
        Self { r#use, bytes_max, small_bytes: 0, large_bytes: 0, holdings, next: 0, evictions: 0, slow: 0 }
    }

    pub(super) fn usage(&self) -> Usage {
        let Self { small_bytes, large_bytes, bytes_max, evictions, slow, .. } = *self;
        Usage { small_bytes, large_bytes, bytes_max, evictions, slow }
    }

    /// Begins a holding of nothing; returns its number.
    pub(super) fn open(&mut self, accounts: Accounts) -> u64 {
        let number = self.next;
        self.next += 1;
        self.holdings.insert(number, Entry { accounts, bytes: 0, wait: None });
        number
    }

    /// Has a holding take `bytes` in all.
    pub(super) fn charge(&mut self, number: u64, bytes: usize, now: Instant) -> Result<(), Full> {
        let full = Full { r#use: self.r#use };
        loop {
            // One that was evicted is over.
            let entry = self.holdings.get(&number).ok_or(full)?;
            match self.limit_against(entry, bytes) {
                None => break,
                Some(limit) if self.evict(number, &limit, now) => {}
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
        let until = time.map(|time| now + time);
        self.release_function(number);
        self.wait(number, Wait { peer: Peer::Client, since: now, until, moved_bytes: 0, moved: now, stop });
    }

    /// What waits for its client is its function's no more: else a client could keep others from the function.
    fn release_function(&mut self, number: u64) {
        if let Some(entry) = self.holdings.get_mut(&number)
            && let Some(function) = entry.accounts.function.take()
        {
            function.recharge(self.r#use, entry.bytes, 0);
        }
    }

    pub(super) fn wait_for_head(&mut self, number: u64, stop: CancellationToken, now: Instant) {
        self.wait(
            number,
            Wait { peer: Peer::ClientsHead, since: now, until: None, moved_bytes: 0, moved: now, stop },
        );
    }

    pub(super) fn wait_for_function(&mut self, number: u64, stop: CancellationToken, now: Instant) {
        self.wait(
            number,
            Wait { peer: Peer::Function, since: now, until: None, moved_bytes: 0, moved: now, stop },
        );
    }

    pub(super) fn moved(&mut self, number: u64, bytes: usize, now: Instant) {
        if let Some(wait) = self.holdings.get_mut(&number).and_then(|entry| entry.wait.as_mut()) {
            wait.moved_bytes += bytes as u64;
            wait.moved = now;
        }
    }

    pub(super) fn settle(&mut self, number: u64) {
        if let Some(entry) = self.holdings.get_mut(&number) {
            entry.wait = None;
        }
    }

    /// Has those stop whose clients are slower than `rate`.
    pub(super) fn stop_slow(&mut self, rate: DataRate, now: Instant) {
        let is_slow = |wait: &mut Wait| wait.peer == Peer::Client && rate.is_missed_by(wait, now);
        for wait in self.holdings.values_mut().filter_map(|entry| entry.wait.take_if(is_slow)) {
            wait.stop.cancel();
            self.slow += 1;
        }
    }

    /// Whether it was ended for the sake of others.
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

    fn limit_against(&self, entry: &Entry, bytes: usize) -> Option<Limit> {
        let more = bytes.saturating_sub(entry.bytes);
        if more == 0 {
            return None;
        }
        // First, so that who goes over its own half makes room for itself and at no one else's expense.
        let is_full = |account: &&Arc<Account>| account.taken_bytes(self.r#use) + more > self.bytes_max / 2;
        if let Some(account) = entry.accounts.iter().find(is_full) {
            return Some(Limit::Account(Arc::clone(account)));
        }
        if self.small_bytes + self.large_bytes + more > self.bytes_max {
            return Some(Limit::Budget);
        }
        // A quarter is for small holdings alone, so that a few large ones can't refuse everyone's.
        let more_large = of_large(bytes) - of_large(entry.bytes);
        if more_large > 0 && self.large_bytes + more_large > self.bytes_max / 4 * 3 {
            return Some(Limit::Large);
        }
        None
    }

    /// Ends stalled holdings that `limit` counts, of the connection that holds most by them. Returns whether there were any.
    fn evict(&mut self, newcomer: u64, limit: &Limit, now: Instant) -> bool {
        let mut stalled: HashMap<*const Account, Stalled> = HashMap::new();
        for (number, entry) in &self.holdings {
            if *number != newcomer
                && limit.counts(entry)
                && let Some(since) = entry.stalled_since(now)
            {
                let of_holder = stalled.entry(Arc::as_ptr(entry.accounts.holder())).or_default();
                of_holder.bytes += entry.bytes;
                of_holder.holdings.push((since, *number));
            }
        }
        let Some(mut most) = stalled.into_values().max_by_key(|stalled| stalled.bytes) else { return false };
        most.holdings.sort_unstable();
        let mut freed_bytes = 0;
        for (_, number) in most.holdings {
            freed_bytes += self.end(number);
            if freed_bytes >= self.bytes_max / EVICTED_PART {
                break;
            }
        }
        true
    }

    /// Ends a holding. It counts no more, and what it holds is gone when its task has had its turn.
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
        self.large_bytes = self.large_bytes - of_large(before) + of_large(bytes);
        self.small_bytes = self.small_bytes - (before - of_large(before)) + (bytes - of_large(bytes));
        Some(before)
    }
}

/// The stalled holdings of one connection.
#[derive(Debug, Default)]
struct Stalled {
    bytes: usize,
    holdings: Vec<(Instant, u64)>,
}

impl Entry {
    /// When its peer last made progress, if that is long enough ago to evict it.
    fn stalled_since(&self, now: Instant) -> Option<Instant> {
        let moved = self.wait.as_ref()?.moved;
        (now.saturating_duration_since(moved) >= EVICTED_AFTER).then_some(moved)
    }
}

impl Limit {
    /// Whether the end of a holding makes room below it.
    fn counts(&self, entry: &Entry) -> bool {
        match self {
            Self::Budget => true,
            Self::Large => entry.bytes > SMALL_BYTES,
            Self::Account(account) => entry.accounts.iter().any(|other| Arc::ptr_eq(account, other)),
        }
    }
}

/// What counts as large of a holding of `bytes`: all or nothing.
fn of_large(bytes: usize) -> usize {
    if bytes > SMALL_BYTES { bytes } else { 0 }
}
