//! Limits how much time is spent on comparing processes with their snapshots.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Decides which processes are compared. One at a time: a comparison reads all memory of a process.
#[derive(Debug)]
pub(super) struct Comparisons {
    /// Of one processor's time, from 0 to 100.
    percent: f64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_comparing: bool,
    /// When the next one may begin.
    next: Option<Instant>,
    /// How many there were, for the jitter.
    begun: u32,
}

/// A comparison in progress; its end is when this is dropped.
#[derive(Debug)]
pub(super) struct Comparison {
    of: Arc<Comparisons>,
    begun: Instant,
}

/// A pause that is always as long could always meet the same of two functions that take turns.
const JITTER: [f64; 4] = [0.8, 1.1, 0.9, 1.2];

/// The longest pause, so that a slow comparison doesn't end them.
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Comparisons {
    /// They take up to `percent` of one processor's time; 100: each process is compared after each request; 0: none.
    pub(super) fn new(percent: u32) -> Arc<Self> {
        Arc::new(Self { percent: f64::from(percent.min(100)), state: Mutex::default() })
    }

    /// Begins one, if it may begin.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Comparison> {
        if self.percent <= 0.0 {
            return None;
        }
        let mut state = self.lock();
        let is_due = !state.is_comparing && state.next.is_none_or(|next| Instant::now() >= next);
        if !is_due && self.percent < 100.0 {
            return None;
        }
        state.is_comparing = true;
        state.begun = state.begun.wrapping_add(1);
        Some(Comparison { of: Arc::clone(self), begun: Instant::now() })
    }

    fn end(&self, took: Duration) {
        let mut state = self.lock();
        state.is_comparing = false;
        let jitter = JITTER[state.begun as usize % JITTER.len()];
        let pause = took.as_secs_f64() * (100.0 / self.percent - 1.0) * jitter;
        state.next = Some(Instant::now() + Duration::from_secs_f64(pause.min(PAUSE_MAX.as_secs_f64())));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Comparison {
    fn drop(&mut self) {
        self.of.end(self.begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_due_at_100_percent_and_none_at_0() {
        let (all, none) = (Comparisons::new(100), Comparisons::new(0));
        let _first = all.begin().unwrap();
        assert!(all.begin().is_some(), "several at a time");
        assert!(none.begin().is_none());
    }

    #[test]
    fn after_one_there_is_a_pause() {
        let some = Comparisons::new(1);
        let comparison = some.begin().unwrap();
        assert!(some.begin().is_none(), "one at a time");
        std::thread::sleep(Duration::from_millis(2));
        drop(comparison);
        let next = some.lock().next.unwrap();
        let pause = next.saturating_duration_since(Instant::now());
        assert!(pause > Duration::from_millis(100) && some.begin().is_none(), "{pause:?}");
        some.lock().next = Some(Instant::now());
        assert!(some.begin().is_some());
    }
}
