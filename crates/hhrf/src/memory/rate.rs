//! The least that a client sends or takes in a time.

use super::state::Wait;
use std::time::{Duration, Instant};

/// A rate that holds on average, once a few seconds of grace are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataRate {
    /// 0 demands nothing.
    pub bytes_per_second: u64,
}

/// The time that a client has before its rate counts: connections stall for some seconds by no one's fault.
const GRACE: Duration = Duration::from_secs(5);

impl DataRate {
    /// How long `bytes` may take; nothing where no rate is demanded.
    pub fn time_for(self, bytes: usize) -> Duration {
        match (bytes as u64).checked_div(self.bytes_per_second) {
            Some(seconds) => GRACE + Duration::from_secs(seconds),
            None => Duration::ZERO,
        }
    }

    /// Whether the client is too slow, or has reached the end of its time at any rate.
    pub(super) fn is_missed_by(self, wait: &Wait, now: Instant) -> bool {
        let counted = now.saturating_duration_since(wait.since).saturating_sub(GRACE);
        let wanted_bytes = u128::from(self.bytes_per_second) * counted.as_millis() / 1000;
        let is_late = wait.until.is_some_and(|until| now >= until);
        is_late || u128::from(wait.moved_bytes) < wanted_bytes
    }
}
