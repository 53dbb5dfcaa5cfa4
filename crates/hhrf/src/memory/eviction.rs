//! Which holdings are evicted when memory is needed: those whose peers stall, first of the address that holds most,
//! there of the connection that holds most, and there the longest stalled. A holding that has stalled only briefly
//! isn't evicted for a newcomer whose address (or connection, of the same address) would then hold more than its own.

use super::Use;
use super::accounts::{Account, Accounts};
use super::state::Entry;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The newcomer that needs memory.
pub(super) struct Eviction<'a> {
    pub(super) r#use: Use,
    pub(super) newcomer: &'a Accounts,
    /// What the newcomer needs.
    pub(super) more: usize,
    pub(super) now: Instant,
}

/// A peer that made progress within this time isn't stalled: an honest peer's next bytes arrive sooner.
pub(super) const STALLED_AFTER: Duration = Duration::from_millis(500);

/// A holding whose peer makes no progress for so long is evicted for any newcomer.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// A peer that makes progress, but at its average rate needs longer than this for what it holds, counts as stalled:
/// otherwise it could hold much memory by sending or reading little.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// Before this a rate means nothing.
const JUDGED_AFTER: Duration = Duration::from_secs(1);

impl Entry {
    /// When its peer last made progress, if it is stalled by now.
    fn stalled_since(&self, now: Instant) -> Option<Instant> {
        let wait = self.wait.as_ref()?;
        let waited = now.saturating_duration_since(wait.since);
        if now.saturating_duration_since(wait.moved) >= STALLED_AFTER {
            return Some(wait.moved);
        }
        // bytes / rate > WHOLE_WITHIN, the rate being moved / waited.
        let is_slow =
            self.bytes as u128 * waited.as_millis() > u128::from(wait.moved_bytes) * WHOLE_WITHIN.as_millis();
        (waited >= JUDGED_AFTER && is_slow).then_some(wait.since)
    }

    pub(super) fn is_evictable(&self, now: Instant) -> bool {
        self.stalled_since(now).is_some()
    }

    fn is_lost(&self, now: Instant) -> bool {
        self.wait.as_ref().is_some_and(|wait| now.saturating_duration_since(wait.moved) >= LOST_AFTER)
    }
}

impl Eviction<'_> {
    /// The holdings to evict, in order; none if together they have less than `missing_bytes`. Takes up to 7 ms for
    /// 32,000 holdings.
    pub(super) fn in_order<'a>(
        &self,
        holdings: impl Iterator<Item = (&'a u64, &'a Entry)>,
        missing_bytes: usize,
    ) -> Vec<u64> {
        let mut stalled_bytes = 0;
        let mut stalled: Vec<_> = holdings
            .filter_map(|(number, entry)| {
                let since = entry.stalled_since(self.now)?;
                let is_free = entry.is_lost(self.now) || self.may_displace(&entry.accounts);
                let Accounts { address, connection, .. } = &entry.accounts;
                is_free.then(|| {
                    stalled_bytes += entry.bytes;
                    let of_connection = connection.as_ref().map(|connection| self.rank(connection));
                    ((self.rank(address), of_connection, Reverse(since)), *number)
                })
            })
            .collect();
        if stalled_bytes < missing_bytes {
            return Vec::new();
        }
        stalled.sort_unstable_by_key(|(order, _)| Reverse(*order));
        stalled.into_iter().map(|(_, number)| number).collect()
    }

    /// Sorts accounts by how much they hold, and keeps the holdings of one account together.
    fn rank(&self, account: &Arc<Account>) -> (usize, *const Account) {
        (account.taken_bytes(self.r#use), Arc::as_ptr(account))
    }

    fn may_displace(&self, held: &Accounts) -> bool {
        let would_hold_no_more = |newcomer: &Arc<Account>, held: &Arc<Account>| {
            newcomer.taken_bytes(self.r#use) + self.more <= held.taken_bytes(self.r#use)
        };
        if !Arc::ptr_eq(&self.newcomer.address, &held.address) {
            return would_hold_no_more(&self.newcomer.address, &held.address);
        }
        match (&self.newcomer.connection, &held.connection) {
            (Some(newcomer), Some(held)) if !Arc::ptr_eq(newcomer, held) => {
                would_hold_no_more(newcomer, held)
            }
            _ => true,
        }
    }
}
