//! The minimum data rate of clients.

use super::entry::Wait;
use std::time::{Duration, Instant};

/// A rate that a client must reach on average, after a few seconds of grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataRate {
    /// 0 demands nothing.
    pub bytes_per_second: u64,
}

/// The time before a client's rate counts: any connection may stall for some seconds.
const GRACE: Duration = Duration::from_secs(5);

impl DataRate {
    /// How long `bytes` may take; zero if no rate is demanded.
    pub(crate) fn time_for(self, bytes: usize) -> Duration {
        match (bytes as u64).checked_div(self.bytes_per_second) {
            Some(seconds) => GRACE + Duration::from_secs(seconds),
            None => Duration::ZERO,
        }
    }

    /// Whether the client is too slow, or its time is over.
    pub(super) fn is_missed_by(self, wait: &Wait, now: Instant) -> bool {
        let counted = now.saturating_duration_since(wait.since).saturating_sub(GRACE);
        let wanted_bytes = u128::from(self.bytes_per_second) * counted.as_millis() / 1000;
        let is_late = wait.until.is_some_and(|until| now >= until);
        is_late || u128::from(wait.moved_bytes) < wanted_bytes
    }
}
