//! The idle processes of one function, which wait for requests.

use super::factory::{PooledProcess, ProcessFactory};
use crate::execute::demand::IdlePermit;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The idle processes of a factory's pool.
pub(in crate::execute) type IdleOf<F> = Arc<IdleQueue<<F as ProcessFactory>::Process>>;

/// A queue of idle processes.
#[derive(Debug)]
pub(in crate::execute) struct IdleQueue<P> {
    /// The oldest first: it is the most likely to be ready.
    entries: Mutex<VecDeque<Entry<P>>>,
}

#[derive(Debug)]
struct Entry<P> {
    process: P,
    since: Instant,
    permit: IdlePermit,
}

impl<P> Default for IdleQueue<P> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<P: PooledProcess> IdleQueue<P> {
    pub(super) fn push(&self, process: P, permit: IdlePermit) {
        let entry = Entry { process, since: Instant::now(), permit };
        self.lock().push_back(entry);
    }

    /// Takes a process for a request, which is assigned to it. Processes that can't serve any more are ended.
    pub(super) fn take(&self) -> Option<P> {
        loop {
            let entry = self.lock().pop_front()?;
            if entry.process.assign() {
                return Some(entry.process);
            }
            entry.discard();
        }
    }

    /// Keeps up to `wanted` processes: not those that have ended, or that were idle for longer than `idle_max`.
    pub(super) fn trim(&self, wanted: usize, idle_max: Duration) {
        let mut kept = 0;
        self.remove_entries(|entry| {
            let is_fit = entry.since.elapsed() < idle_max && !entry.process.has_ended() && kept < wanted;
            kept += usize::from(is_fit);
            !is_fit
        });
    }

    /// Ends the processes that `is_unfit` selects.
    pub(in crate::execute) fn remove(&self, is_unfit: impl Fn(&P) -> bool) {
        self.remove_entries(|entry| is_unfit(&entry.process));
    }

    /// How many there are.
    pub(in crate::execute) fn len(&self) -> usize {
        self.lock().len()
    }

    fn remove_entries(&self, mut is_unfit: impl FnMut(&Entry<P>) -> bool) {
        let mut entries = self.lock();
        let (unfit, fit) = std::mem::take(&mut *entries).into_iter().partition(|entry| is_unfit(entry));
        *entries = fit;
        drop(entries);
        let unfit: VecDeque<Entry<P>> = unfit;
        unfit.into_iter().for_each(Entry::discard);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry<P>>> {
        // Nothing that is done under the lock can panic halfway.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: PooledProcess> Entry<P> {
    fn discard(self) {
        self.process.discard(self.permit);
    }
}
