//! The zygote of one function and its idle children.

mod succession;

use super::child::{Child, Idle};
use super::load::LoadFailure;
use super::streak::Streak;
use super::wear::Condition;
use super::zygote::Zygote;
use crate::catalogue::Function;
use crate::execute::Failure;
use crate::execute::back_off::BackOff;
use crate::execute::demand::{Demand, IdlePermits};
use crate::execute::pool::Stats;
use crate::execute::start::Starter;
use crate::metrics::WearCounters;
use fezz_wire::control::Separation;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout_at;

/// Serves the requests of one function.
#[derive(Debug)]
pub(super) struct ZygotePool {
    function: Arc<Function>,
    starter: Arc<Starter>,
    permits: IdlePermits,
    counters: WearCounters,
    /// The most children at a time, of all of its zygotes together.
    children: u64,
    state: Mutex<State>,
    /// Wakes the requests that wait for a zygote.
    news: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The oldest first: it is the most likely to be ready.
    idle: VecDeque<Idle>,
    demand: Demand,
    back_off: BackOff,
    is_loading: bool,
    /// When to retry after a successor couldn't be loaded.
    retry_after: Option<Instant>,
    /// An old zygote isn't replaced before this.
    renew_after: Option<Instant>,
    streak: Streak,
    is_retired: bool,
    /// Zygotes that have been started and aren't gone.
    zygotes: usize,
    /// As the newest zygote reported.
    separation: Option<Separation>,
}

#[derive(Debug)]
enum Phase {
    /// The function isn't called.
    Unloaded,
    Loading,
    Loaded(Arc<Zygote>),
    /// It couldn't be loaded; retry after `until`.
    Failed {
        failure: LoadFailure,
        until: Instant,
    },
}

/// A zygote is kept longer than its idle children: it costs the memory of one process, and starting one takes some
/// milliseconds.
pub(super) const ZYGOTE_IDLE_MAX: Duration = Duration::from_secs(60);

/// The most children of a function: those that are idle, those that serve, and as many that are ending.
pub fn children_max(concurrency: u32, spare_max: u32) -> u64 {
    2 * (u64::from(concurrency) + u64::from(spare_max))
}

impl ZygotePool {
    pub(super) fn new(
        function: Arc<Function>,
        starter: Arc<Starter>,
        permits: IdlePermits,
        counters: WearCounters,
        spare_max: u32,
    ) -> Self {
        let children = children_max(function.release.limits.concurrency, spare_max);
        let state = State {
            phase: Phase::Unloaded,
            idle: VecDeque::new(),
            demand: Demand::new(spare_max),
            back_off: BackOff::default(),
            is_loading: false,
            retry_after: None,
            renew_after: None,
            streak: Streak::new(),
            is_retired: false,
            zygotes: 0,
            separation: None,
        };
        let (state, news) = (Mutex::new(state), watch::Sender::new(()));
        Self { function, starter, permits, counters, children, state, news }
    }

    /// Takes a child for a new request: an idle one, else one that is ordered now. Waits for a zygote if there is none.
    ///
    /// # Errors
    ///
    /// The function is paused, or can't be loaded, or not before the deadline.
    pub(super) async fn take(self: &Arc<Self>, deadline: tokio::time::Instant) -> Result<Child, Failure> {
        let mut news = self.news.subscribe();
        loop {
            if let Some(child) = self.try_take()? {
                return Ok(child);
            }
            let changed = timeout_at(deadline, news.changed()).await;
            // Not `DeadlineExceeded`: the function hasn't seen the request. The sender of news lives as long as `self`.
            changed.map_err(|_| Failure::NotLoaded(LoadFailure::TooLate))?.ok();
        }
    }

    fn try_take(self: &Arc<Self>) -> Result<Option<Child>, Failure> {
        let mut state = self.lock();
        if let Some(until) = state.streak.paused_until(Instant::now()) {
            return Err(Failure::NotLoaded(LoadFailure::Paused { until }));
        }
        match &state.phase {
            Phase::Loaded(zygote) if zygote.is_of_use() => {
                let zygote = Arc::clone(zygote);
                if !zygote.wear().may_serve() {
                    // The request waits until the zygote may serve again, or its successor does.
                    self.replace_if_worn(&mut state);
                    return Ok(None);
                }
                while let Some(Idle { child, .. }) = state.idle.pop_front() {
                    if child.handle.assign() {
                        return Ok(Some(child));
                    }
                }
                // Under the lock, so that it can't be retired meanwhile.
                let child = zygote.order().map_err(Failure::NotStarted)?;
                // If it is gone already, the request learns that from its handle.
                child.handle.assign();
                Ok(Some(child))
            }
            Phase::Failed { failure, until } if Instant::now() < *until => {
                Err(Failure::NotLoaded(failure.clone()))
            }
            Phase::Loading => Ok(None),
            Phase::Unloaded | Phase::Loaded(_) | Phase::Failed { .. } => {
                state.phase = Phase::Loading;
                self.load(&mut state);
                Ok(None)
            }
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.lock().demand.begin(Instant::now());
    }

    /// A request has its answer.
    pub(super) fn end(&self) {
        self.lock().demand.end(Instant::now());
    }

    /// Orders as many idle children as are wanted, and replaces the zygote when it is time.
    pub(super) fn refill(self: &Arc<Self>) {
        let mut state = self.lock();
        let Phase::Loaded(zygote) = &state.phase else { return };
        let zygote = Arc::clone(zygote);
        let wanted = if state.is_retired { 0 } else { state.demand.wanted(Instant::now()) };
        while state.idle.len() < wanted && zygote.condition() < Condition::WornOut {
            let Some(permit) = self.permits.take() else { break };
            // Without descriptors, the present children must suffice.
            let Ok(child) = zygote.order() else { break };
            state.idle.push_back(Idle { child, _permit: permit });
        }
        self.replace_if_worn(&mut state);
    }

    /// A child's response turned out to be invalid.
    pub(super) fn blame(&self) {
        if let Phase::Loaded(zygote) = &self.lock().phase {
            zygote.blame();
        }
    }

    /// Ends what isn't needed any more. Returns whether the pool is still needed.
    pub(super) fn maintain(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let wanted = state.demand.wanted(now);
        if state.idle.len() > wanted {
            state.idle.truncate(wanted);
        }
        let idle_max = if state.is_retired { Duration::ZERO } else { ZYGOTE_IDLE_MAX };
        if state.demand.idle_for(now) > idle_max {
            self.unload(&mut state);
            if state.is_retired && matches!(state.phase, Phase::Failed { .. }) {
                // It will not be retried.
                state.phase = Phase::Unloaded;
            }
        }
        let is_needed = state.demand.idle_for(now).is_zero() || state.streak.paused_until(now).is_some();
        !matches!(state.phase, Phase::Unloaded) || state.zygotes > 0 || is_needed
    }

    /// Ends the zygote and its idle children.
    pub(super) fn give_up_zygote(&self) {
        self.unload(&mut self.lock());
    }

    fn unload(&self, state: &mut State) {
        state.idle.clear();
        if let Phase::Loaded(zygote) = &state.phase {
            let zygote = Arc::clone(zygote);
            zygote.retire();
            state.phase = Phase::Unloaded;
            self.count_wear(state, &zygote);
        }
    }

    /// The function isn't served any more, except for requests in flight.
    pub(super) fn end_with_function(&self) {
        self.lock().is_retired = true;
        self.maintain();
    }

    pub(super) fn count(&self) -> Stats {
        let State { idle, demand, zygotes, separation, .. } = &*self.lock();
        let unused_for = demand.idle_for(Instant::now());
        Stats { idle: idle.len(), zygotes: *zygotes, unused_for, separation: *separation }
    }

    /// The most stderr of one request that is logged.
    pub(super) fn stderr_bytes_max(&self) -> usize {
        self.starter.stderr_bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
