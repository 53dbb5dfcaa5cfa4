//! How many zygotes a function needs. A zygote forks on one processor, so there it can be the bottleneck.

use std::time::{Duration, Instant};

/// How busy a zygote is, as it reports it. One that reports a false time can only have another zygote added or given up,
/// within the limits.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// When it last reported, and for how long it had been busy in all.
    last: Option<(Instant, Duration)>,
    share: f64,
}

/// Decides when a zygote is added or given up.
#[derive(Debug)]
pub(super) struct Scale {
    zygotes_max: usize,
    /// For how many ticks in a row another one was wanted, and one fewer.
    busy: u32,
    quiet: u32,
}

/// A change of the number of zygotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// One more.
    Add,
    /// One fewer.
    Remove,
}

/// Reports that follow each other faster are too inexact.
const INTERVAL_MIN: Duration = Duration::from_millis(500);

/// A zygote that is busy for this share of its time is the bottleneck: most orders wait for it.
const BUSY_SHARE: f64 = 0.75;

/// A zygote is given up if the others would be busy for no more than this share of their time.
const QUIET_SHARE: f64 = 0.5;

/// A burst of a second or two is over before another zygote has loaded the module.
const BUSY_TICKS: u32 = 3;

/// Longer than the pauses of a load that comes and goes: loading costs more than keeping.
const QUIET_TICKS: u32 = 15;

impl Usage {
    /// By now it has been `busy` for so long in all.
    pub(super) fn update(&mut self, now: Instant, busy: Duration) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, busy));
            return;
        };
        let interval = now.duration_since(then);
        if interval >= INTERVAL_MIN {
            self.share = (busy.saturating_sub(before).as_secs_f64() / interval.as_secs_f64()).min(1.0);
            self.last = Some((now, busy));
        }
    }

    /// The share of the time between the last two reports, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.share
    }
}

impl Scale {
    /// For a function that may have up to `zygotes_max`.
    pub(super) fn new(zygotes_max: usize) -> Self {
        Self { zygotes_max, busy: 0, quiet: 0 }
    }

    /// Decides by the `shares` of their time in which the zygotes were busy. Called about once a second.
    pub(super) fn tick(&mut self, shares: &[f64]) -> Option<Change> {
        let (zygotes, total) = (shares.len(), shares.iter().sum::<f64>());
        let is_busy = zygotes > 0 && zygotes < self.zygotes_max && total >= BUSY_SHARE * zygotes as f64;
        let is_quiet = zygotes > 1 && total <= QUIET_SHARE * (zygotes - 1) as f64;
        self.busy = if is_busy { self.busy + 1 } else { 0 };
        self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
        let change = match (self.busy >= BUSY_TICKS, self.quiet >= QUIET_TICKS) {
            (true, _) => Change::Add,
            (_, true) => Change::Remove,
            _ => return None,
        };
        // The next one needs as many ticks again.
        (self.busy, self.quiet) = (0, 0);
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes in as many ticks with the same shares.
    fn changes(zygotes_max: usize, shares: &[f64], ticks: u32) -> Vec<Change> {
        let mut scale = Scale::new(zygotes_max);
        (0..ticks).filter_map(|_| scale.tick(shares)).collect()
    }

    #[test]
    fn a_zygote_is_added_when_all_are_busy_up_to_the_limit() {
        assert_eq!(changes(2, &[0.8], BUSY_TICKS), [Change::Add]);
        assert_eq!(changes(2, &[0.8], BUSY_TICKS - 1), []);
        assert_eq!(changes(2, &[0.7], 100), [], "it isn't the bottleneck");
        assert_eq!(changes(3, &[0.9, 0.5], 100), [], "one of them isn't");
        assert_eq!(changes(2, &[0.9, 0.9], 100), [], "no more are allowed");
        assert_eq!(changes(2, &[], 100), []);
    }

    #[test]
    fn a_zygote_is_given_up_when_the_others_suffice_for_long() {
        assert_eq!(changes(2, &[0.2, 0.2], QUIET_TICKS), [Change::Remove]);
        assert_eq!(changes(2, &[0.2, 0.2], QUIET_TICKS - 1), []);
        assert_eq!(changes(2, &[0.4, 0.4], 100), []);
        assert_eq!(changes(2, &[0.0], 100), [], "the last one ends with the demand");
    }

    #[test]
    fn usage_is_the_share_of_the_time_between_reports() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut usage = Usage::default();
        usage.update(begun, second);
        assert!(usage.share() < 0.01);
        usage.update(begun + second, second * 3 / 2);
        assert!((usage.share() - 0.5).abs() < 0.01, "{usage:?}");
        usage.update(begun + second * 2, second * 9);
        assert!((usage.share() - 1.0).abs() < 0.01, "it reported a false time: {usage:?}");
        usage.update(begun + second * 3, Duration::ZERO);
        assert!(usage.share() < 0.01, "{usage:?}");
    }
}
