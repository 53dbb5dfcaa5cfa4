//! The idle processes of one function, which wait for requests, and how many are wanted.

use super::factory::{PooledProcess, ProcessFactory};
use crate::execute::demand::{Demand, IdlePermit, IdlePermits, Life};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The idle processes of a factory's pool.
pub(in crate::execute) type IdleOf<F> = Arc<IdleQueue<<F as ProcessFactory>::Process>>;

/// A queue of idle processes.
#[derive(Debug)]
pub(in crate::execute) struct IdleQueue<P> {
    permits: IdlePermits,
    state: Mutex<State<P>>,
}

#[derive(Debug)]
struct State<P> {
    /// In the order in which they are used. Those that serve once: the oldest first, which is the most likely to be ready.
    entries: VecDeque<Entry<P>>,
    demand: Demand,
    is_retired: bool,
}

#[derive(Debug)]
struct Entry<P> {
    process: P,
    since: Instant,
    permit: IdlePermit,
}

impl<P: PooledProcess> IdleQueue<P> {
    /// For processes of such a life: up to `spare_max`, as long as there are `permits`.
    pub(in crate::execute) fn new(life: Life, spare_max: u32, permits: IdlePermits) -> Arc<Self> {
        let demand = Demand::new(life, spare_max);
        let state = State { entries: VecDeque::new(), demand, is_retired: false };
        Arc::new(Self { permits, state: Mutex::new(state) })
    }

    /// A request begins.
    pub(super) fn begin_request(&self) {
        self.lock().demand.begin(Instant::now());
    }

    /// A request has ended.
    pub(super) fn end_request(&self) {
        self.lock().demand.end(Instant::now());
    }

    /// For how long there has been no request.
    pub(super) fn unused_for(&self) -> Duration {
        self.lock().demand.idle_for(Instant::now())
    }

    /// From now on none is wanted.
    pub(super) fn retire(&self) {
        self.lock().is_retired = true;
    }

    pub(in crate::execute) fn is_retired(&self) -> bool {
        self.lock().is_retired
    }

    /// The permit for one more; `None` if no more are wanted or allowed.
    pub(in crate::execute) fn permit_for_next(&self) -> Option<IdlePermit> {
        self.permit_if(|idle, wanted| idle < wanted)
    }

    /// The permit for a process that has served and can serve again. Its request may still count as running: then it has
    /// the place that it had, of which [`Demand::wanted`] knows nothing.
    pub(in crate::execute) fn permit_to_return(&self) -> Option<IdlePermit> {
        self.permit_if(|idle, wanted| wanted > 0 && idle <= wanted)
    }

    fn permit_if(&self, may_add: impl Fn(usize, usize) -> bool) -> Option<IdlePermit> {
        let may_add = {
            let mut state = self.lock();
            may_add(state.entries.len(), state.wanted())
        };
        may_add.then(|| self.permits.take()).flatten()
    }

    pub(in crate::execute) fn push(&self, process: P, permit: IdlePermit) {
        self.push_by(process, permit, VecDeque::push_back);
    }

    /// Adds a process that the next request is to get: the memory of one that has just served is still in the caches of
    /// the processor.
    pub(in crate::execute) fn push_first(&self, process: P, permit: IdlePermit) {
        self.push_by(process, permit, VecDeque::push_front);
    }

    fn push_by(&self, process: P, permit: IdlePermit, push: impl Fn(&mut VecDeque<Entry<P>>, Entry<P>)) {
        let entry = Entry { process, since: Instant::now(), permit };
        let mut state = self.lock();
        if state.is_retired {
            drop(state);
            // Nothing looks for it any more.
            return entry.discard();
        }
        push(&mut state.entries, entry);
    }

    /// Takes a process for a request, which is assigned to it. Processes that can't serve any more are ended.
    pub(super) fn take(&self) -> Option<P> {
        loop {
            let entry = self.lock().entries.pop_front()?;
            if entry.process.assign() {
                return Some(entry.process);
            }
            entry.discard();
        }
    }

    /// Keeps as many processes as are wanted: not those that have ended, or that were idle for longer than `idle_max`.
    pub(super) fn trim(&self, idle_max: Duration) {
        let wanted = self.lock().wanted();
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
        self.lock().entries.len()
    }

    fn remove_entries(&self, mut is_unfit: impl FnMut(&Entry<P>) -> bool) {
        let mut state = self.lock();
        let (unfit, fit) = std::mem::take(&mut state.entries).into_iter().partition(|entry| is_unfit(entry));
        state.entries = fit;
        drop(state);
        let unfit: VecDeque<Entry<P>> = unfit;
        unfit.into_iter().for_each(Entry::discard);
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P> State<P> {
    /// How many to keep.
    fn wanted(&mut self) -> usize {
        if self.is_retired { 0 } else { self.demand.wanted(Instant::now()) }
    }
}

impl<P: PooledProcess> Entry<P> {
    fn discard(self) {
        self.process.discard(self.permit);
    }
}
