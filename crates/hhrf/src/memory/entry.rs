//! One holding as its memory knows it: what it is charged with, and the peer that it waits for.

use super::accounts::Accounts;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) accounts: Accounts,
    pub(super) bytes: usize,
    /// Set while it waits for a peer: only then can it be evicted.
    pub(super) wait: Option<Wait>,
}

/// A holding's wait for a peer.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) peer: Peer,
    pub(super) since: Instant,
    /// The end of the client's time.
    pub(super) until: Option<Instant>,
    /// What the peer has sent or read.
    pub(super) moved_bytes: u64,
    /// When it last did.
    pub(super) moved: Instant,
    pub(super) stop: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// It must send or read bytes at the minimum data rate.
    Client,
    /// A client whose connection waits for it as a whole: it needs no minimum data rate.
    Connection,
    Function,
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

impl Wait {
    pub(super) fn of(peer: Peer, stop: CancellationToken, now: Instant, time: Option<Duration>) -> Self {
        let until = time.map(|time| now + time);
        Self { peer, since: now, until, moved_bytes: 0, moved: now, stop }
    }
}

impl Entry {
    /// When its peer last made progress, if it is stalled by now.
    pub(super) fn stalled_since(&self, now: Instant) -> Option<Instant> {
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

    pub(super) fn is_lost(&self, now: Instant) -> bool {
        self.wait.as_ref().is_some_and(|wait| now.saturating_duration_since(wait.moved) >= LOST_AFTER)
    }
}
