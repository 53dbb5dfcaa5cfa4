//! How busy a zygote is. It forks on one processor: if it is always busy, it is its function's bottleneck.

use std::time::{Duration, Instant};

/// The time in which a zygote had something to do, whether or not it had a processor.
#[derive(Debug)]
pub(super) struct BusyTime {
    /// Up to the last pause.
    before: Duration,
    since: Instant,
}

impl BusyTime {
    /// From now on it is busy.
    pub(super) fn new() -> Self {
        Self { before: Duration::ZERO, since: Instant::now() }
    }

    /// From now on it waits.
    pub(super) fn pause(&mut self) {
        self.before += self.since.elapsed();
    }

    /// From now on it is busy again.
    pub(super) fn resume(&mut self) {
        self.since = Instant::now();
    }

    /// In microseconds, while it is busy.
    pub(super) fn total_us(&self) -> u64 {
        u64::try_from((self.before + self.since.elapsed()).as_micros()).unwrap_or(u64::MAX)
    }
}
