//! Exponential backoff: when to retry after a failure.

use std::fmt;
use std::time::{Duration, Instant};

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The first pause; the second is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// A process that lived for so long didn't fail at its start, and starting another is cheap in comparison.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// Counts failures in a row.
#[derive(Debug)]
pub struct BackOff {
    failures: u32,
    pause_min: Duration,
    pause_max: Duration,
}

/// When to retry after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// When to retry.
    pub at: Instant,
    /// Which retry it is, from 1.
    pub attempt: u32,
}

impl fmt::Display for Retry {
    /// `retry in 0.4 s (attempt 3)`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pause = self.at.saturating_duration_since(Instant::now());
        // Some time has passed since: round up.
        let tenths = pause.as_millis().div_ceil(100);
        write!(formatter, "retry in {}.{} s (attempt {})", tenths / 10, tenths % 10, self.attempt)
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self::between(PAUSE_MIN, PAUSE_MAX)
    }
}

impl BackOff {
    /// Pauses of `pause_min` at first, then twice as long each time, up to `pause_max`.
    pub fn between(pause_min: Duration, pause_max: Duration) -> Self {
        Self { failures: 0, pause_min, pause_max }
    }

    /// Another failure. Returns when to retry.
    pub fn failed(&mut self) -> Retry {
        let times = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures += 1;
        let at = Instant::now() + self.pause_min.saturating_mul(times).min(self.pause_max);
        Retry { at, attempt: self.failures }
    }

    /// A process ended after living for `lived`. Returns when to start another; `None` for the first one: at once.
    pub fn ended(&mut self, lived: Duration) -> Option<Retry> {
        if lived >= STABLE_AFTER {
            self.failures = 0;
        }
        let is_first = self.failures == 0;
        let again = self.failed();
        (!is_first).then_some(again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_longer_than_the_one_before_up_to_a_maximum() {
        let mut back_off = BackOff::default();
        let pauses: Vec<Duration> =
            (0..40).map(|_| back_off.failed().at.saturating_duration_since(Instant::now())).collect();
        assert!(pauses[0] <= PAUSE_MIN && pauses[1] > PAUSE_MIN && pauses[39] <= PAUSE_MAX, "{pauses:?}");

        let mut back_off = BackOff::default();
        assert!(back_off.ended(Duration::ZERO).is_none(), "once may happen");
        assert!(back_off.ended(Duration::ZERO).is_some());
        assert!(back_off.ended(STABLE_AFTER).is_none(), "it had lived");
    }

    #[test]
    fn the_log_says_when_and_how_often() {
        let mut back_off = BackOff::default();
        let retries: Vec<String> = (0..3).map(|_| back_off.failed().to_string()).collect();
        assert_eq!(
            retries,
            ["retry in 0.1 s (attempt 1)", "retry in 0.2 s (attempt 2)", "retry in 0.4 s (attempt 3)"]
        );
    }
}
