//! Which holdings are ended when memory is needed: those whose peers stall, of the address that holds most, and there of
//! the connection that holds most, the longest stalled first. One that has stalled for a moment isn't ended for a newcomer
//! whose address (or connection, of the same address) would then hold more than its own does.

use super::Use;
use super::accounts::{Account, Accounts};
use super::state::Entry;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For whom holdings are ended.
pub(super) struct Eviction<'a> {
    pub(super) r#use: Use,
    pub(super) newcomer: &'a Accounts,
    /// What the newcomer needs.
    pub(super) more: usize,
    pub(super) now: Instant,
}

/// A holding whose peer has made progress since isn't ended: an honest one's next bytes come sooner.
pub(super) const STALLED_AFTER: Duration = Duration::from_millis(500);

/// A peer that takes nothing for so long gives way to any newcomer.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// One that moves, but would at its average rate take longer than this for what it holds, counts as stalled: else it could
/// hold much by moving little.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);

impl Entry {
    /// When its peer last made progress that counts, if it may be ended by now.
    fn stalled_since(&self, now: Instant) -> Option<Instant> {
        let wait = self.wait.as_ref()?;
        let waited = now.saturating_duration_since(wait.since);
        if now.saturating_duration_since(wait.moved) >= STALLED_AFTER {
            return Some(wait.moved);
        }
        // bytes / rate > WHOLE_WITHIN, the rate being moved / waited.
        let is_slow =
            self.bytes as u128 * waited.as_millis() > u128::from(wait.moved_bytes) * WHOLE_WITHIN.as_millis();
        (waited >= LOST_AFTER && is_slow).then_some(wait.since)
    }

    pub(super) fn is_evictable(&self, now: Instant) -> bool {
        self.stalled_since(now).is_some()
    }

    fn is_lost(&self, now: Instant) -> bool {
        self.wait.as_ref().is_some_and(|wait| now.saturating_duration_since(wait.moved) >= LOST_AFTER)
    }
}

impl Eviction<'_> {
    /// Those that may be ended, in that order; none where they take less than `missing_bytes`. Among 32,000 holdings that
    /// takes up to 7 ms.
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

    /// By how much it holds; all of one account together.
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
