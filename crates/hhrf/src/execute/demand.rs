//! How many idle processes a function keeps: as many as lately ran at the same time, at least two while there are
//! requests, and none some time after the last.
//!
//! Processes that serve request after request are counted together with those that serve now.

use crate::catalogue::Function;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The demand of one function.
#[derive(Debug)]
pub struct Demand {
    life: Life,
    spare_max: usize,
    running: usize,
    /// The most that ran at the same time in this period, and in the one before.
    peaks: [usize; 2],
    period_began: Instant,
    last_used: Instant,
    was_called: bool,
}

/// How many requests a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// One.
    OneRequest,
    /// One after the other.
    ManyRequests,
}

/// The right to keep one idle process, released when it is dropped.
pub type IdlePermit = OwnedSemaphorePermit;

/// Long enough to span the pauses in a steady load, short enough to forget a burst.
const PERIOD: Duration = Duration::from_secs(1);

/// A process that serves again takes some hundred times as long to prepare, and no time once it is there.
const PERIOD_OF_MANY: Duration = Duration::from_secs(8);

/// Longer than the pauses of a person who uses a page; processes that wait longer are mostly wasted.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// While there are requests: one idle process, and one that is being started.
const FEW: usize = 2;

impl Demand {
    /// For a function that hasn't been called yet.
    pub fn new(life: Life, spare_max: u32) -> Self {
        let now = Instant::now();
        let spare_max = spare_max as usize;
        let was_called = false;
        Self { life, spare_max, running: 0, peaks: [0; 2], period_began: now, last_used: now, was_called }
    }

    /// A request begins.
    pub fn begin(&mut self, now: Instant) {
        self.running += 1;
        self.was_called = true;
        self.update(now);
        self.peaks[0] = self.peaks[0].max(self.running);
        self.last_used = now;
    }

    /// A request has ended.
    pub fn end(&mut self, now: Instant) {
        self.running -= 1;
        self.last_used = now;
    }

    /// How many idle processes to keep.
    pub fn wanted(&mut self, now: Instant) -> usize {
        self.update(now);
        // A function may be called on one processor alone.
        if !self.was_called || self.idle_for(now) > IDLE_MAX {
            return 0;
        }
        let [peak, before] = self.peaks;
        let peak = peak.max(before);
        match self.life {
            Life::OneRequest => peak.max(FEW).min(self.spare_max),
            Life::ManyRequests if self.spare_max == 0 => 0,
            // Those that served at the peak, and some for a higher one.
            Life::ManyRequests => {
                (peak + (peak / 2).max(FEW).min(self.spare_max)).saturating_sub(self.running)
            }
        }
    }

    /// For how long there has been no request.
    pub fn idle_for(&self, now: Instant) -> Duration {
        if self.running > 0 { Duration::ZERO } else { now.duration_since(self.last_used) }
    }

    fn update(&mut self, now: Instant) {
        let since = now.duration_since(self.period_began);
        let period = match self.life {
            Life::OneRequest => PERIOD,
            Life::ManyRequests => PERIOD_OF_MANY,
        };
        if since >= period {
            let before = if since < 2 * period { self.peaks[0] } else { self.running };
            self.peaks = [self.running, before];
            self.period_began = now;
        }
    }
}

/// The idle processes that a function may have.
#[derive(Debug, Clone, Copy)]
pub struct Spares {
    /// Of a function whose manifest doesn't say.
    pub default: u32,
    /// The pools among which they are divided.
    pub pools: usize,
}

impl Spares {
    /// The most of one pool of a function: one at least, if it has any.
    pub fn of(self, function: &Function) -> u32 {
        let pools = u32::try_from(self.pools).unwrap_or(u32::MAX);
        function.release.spare.unwrap_or(self.default).div_ceil(pools)
    }
}

/// The idle processes that all functions may have together.
#[derive(Debug, Clone)]
pub struct IdlePermits {
    free: Arc<Semaphore>,
    total: usize,
}

impl IdlePermits {
    /// `total` permits.
    pub fn new(total: u32) -> Self {
        let total = total as usize;
        Self { free: Arc::new(Semaphore::new(total)), total }
    }

    /// Takes one; `None` if all are taken: then processes are started when requests arrive.
    pub fn take(&self) -> Option<IdlePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.total - self.free.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_processes_follow_the_concurrency_and_end_without_requests() {
        let mut demand = Demand::new(Life::OneRequest, 8);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        demand.begin(at(0));
        assert_eq!(demand.wanted(at(0)), FEW);
        (0..4).for_each(|_| demand.begin(at(10)));
        assert_eq!(demand.wanted(at(10)), 5);
        (0..5).for_each(|_| demand.end(at(20)));
        assert_eq!(demand.wanted(at(1500)), 5, "a burst is remembered");
        assert_eq!(demand.wanted(at(4000)), FEW, "and forgotten");
        assert_eq!(demand.wanted(at(10_100)), 0, "it isn't called any more");
        (0..20).for_each(|_| demand.begin(at(11_000)));
        assert_eq!(demand.wanted(at(11_000)), 8, "no more than allowed");
        assert_eq!(Demand::new(Life::OneRequest, 0).wanted(start), 0);
    }

    #[test]
    fn a_function_that_was_never_called_has_no_idle_processes() {
        for life in [Life::OneRequest, Life::ManyRequests] {
            let mut demand = Demand::new(life, 8);
            let start = Instant::now();
            assert_eq!(demand.wanted(start), 0);
            demand.begin(start);
            assert!(demand.wanted(start) > 0);
        }
    }

    #[test]
    fn processes_that_serve_again_are_kept_for_the_peak_and_some_more() {
        let mut demand = Demand::new(Life::ManyRequests, 3);
        let start = Instant::now();
        demand.begin(start);
        assert_eq!(demand.wanted(start), 2, "beside the one that serves");
        (0..7).for_each(|_| demand.begin(start));
        assert_eq!(demand.wanted(start), 3, "no more in addition than allowed");
        (0..8).for_each(|_| demand.end(start));
        assert_eq!(demand.wanted(start), 11, "those that served, and three more");
        assert_eq!(demand.wanted(start + IDLE_MAX + PERIOD), 0);
        assert_eq!(Demand::new(Life::ManyRequests, 0).wanted(start), 0);
    }

    #[test]
    fn a_function_with_a_long_request_is_not_idle() {
        let mut demand = Demand::new(Life::OneRequest, 8);
        let start = Instant::now();
        demand.begin(start);
        assert_eq!(demand.wanted(start + Duration::from_secs(60)), FEW);
        demand.end(start + Duration::from_secs(60));
        assert_eq!(demand.idle_for(start + Duration::from_secs(61)), Duration::from_secs(1));
    }
}
