//! When to try again what failed: ever more seldom.

use std::time::{Duration, Instant};

/// How long what fails is left alone: longer each time, as far as this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The first pause; the second is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Who has lived for so long didn't end for the way it began; and to start another each time costs little.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// Counts failures in a row.
#[derive(Debug)]
pub struct BackOff {
    failures: u32,
    pause_min: Duration,
    pause_max: Duration,
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

    /// Another failure. Returns when to try again.
    pub fn failed(&mut self) -> Instant {
        let times = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures += 1;
        Instant::now() + self.pause_min.saturating_mul(times).min(self.pause_max)
    }

    /// A process ended that had lived for so long. Returns when to try again: at once, for the first of them.
    pub fn ended(&mut self, lived: Duration) -> Option<Instant> {
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
    fn who_fails_again_and_again_is_left_alone_for_longer_each_time() {
        let mut back_off = BackOff::default();
        let pauses: Vec<Duration> =
            (0..40).map(|_| back_off.failed().saturating_duration_since(Instant::now())).collect();
        assert!(pauses[0] <= PAUSE_MIN && pauses[1] > PAUSE_MIN && pauses[39] <= PAUSE_MAX, "{pauses:?}");

        let mut back_off = BackOff::default();
        assert!(back_off.ended(Duration::ZERO).is_none(), "once may happen");
        assert!(back_off.ended(Duration::ZERO).is_some());
        assert!(back_off.ended(STABLE_AFTER).is_none(), "it had lived");
    }
}
