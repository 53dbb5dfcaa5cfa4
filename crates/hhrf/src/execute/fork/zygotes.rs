//! The zygotes of one function: orders children from them.

mod succession;

use super::child::Child;
use super::streak::Streak;
use super::usage::{Change, Scale};
use super::wear::Condition;
use super::zygote::{UNUSED_MAX, Zygote};
use crate::catalogue::Function;
use crate::execute::Failure;
use crate::execute::back_off::BackOff;
use crate::execute::demand::Life;
use crate::execute::load::LoadFailure;
use crate::execute::pool::Stats;
use crate::execute::process_pool::factory::{PooledProcess, ProcessFactory};
use crate::execute::process_pool::idle::IdleQueue;
use crate::execute::start::Starter;
use crate::metrics::WearCounters;
use fezz_wire::control::Separation;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout_at;

/// Forks the processes of one function.
#[derive(Debug)]
pub(in crate::execute) struct Zygotes {
    plan: Plan,
    state: Mutex<State>,
    /// Wakes the requests that wait for a zygote.
    changed: watch::Sender<()>,
}

/// What zygotes are started with.
#[derive(Debug)]
pub(in crate::execute) struct Plan {
    pub(in crate::execute) function: Arc<Function>,
    pub(in crate::execute) starter: Arc<Starter>,
    pub(in crate::execute) counters: WearCounters,
    /// The most children at a time, of all zygotes together.
    pub(in crate::execute) children: u64,
    /// The most zygotes.
    pub(in crate::execute) zygotes_max: usize,
    /// How many requests the children may serve.
    pub(in crate::execute) life: Life,
    /// Has children of the zygotes that serve.
    pub(in crate::execute) idle: Arc<dyn IdleChildren>,
}

/// Idle processes, among them children of zygotes.
pub(in crate::execute) trait IdleChildren: Debug + Send + Sync {
    /// Ends the children of a zygote.
    fn discard_of(&self, zygote: &Zygote);
}

/// A process that is a child of a zygote.
pub(in crate::execute) trait ChildOf {
    /// Whether it is a child of that one.
    fn is_of(&self, zygote: &Zygote) -> bool;
}

impl<P: PooledProcess + ChildOf> IdleChildren for IdleQueue<P> {
    fn discard_of(&self, zygote: &Zygote) {
        self.remove(|process| process.is_of(zygote));
    }
}

#[derive(Debug)]
struct State {
    serving: Vec<Serving>,
    /// How many should serve, once there are requests.
    wanted: usize,
    is_loading: bool,
    /// Whether requests wait for the zygote that is being loaded.
    is_awaited: bool,
    /// Why none serves, and when to retry.
    failure: Option<(LoadFailure, Instant)>,
    /// When to retry after another one couldn't be loaded beside those that serve.
    retry_after: Option<Instant>,
    back_off: BackOff,
    scale: Scale,
    streak: Streak,
    is_retired: bool,
    /// Zygotes that have been started and aren't gone.
    started: usize,
    /// As the newest zygote reported.
    separation: Option<Separation>,
}

/// A zygote that serves.
#[derive(Debug)]
struct Serving {
    zygote: Arc<Zygote>,
    /// When it is old, it isn't replaced before this.
    renew_after: Instant,
}

/// The most children of a function: those that are idle, those that serve, and as many that are ending.
pub fn children_max(concurrency: u32, spare_max: u32) -> u64 {
    2 * (u64::from(concurrency) + u64::from(spare_max))
}

impl Zygotes {
    /// Starts none before the first request.
    pub(in crate::execute) fn new(plan: Plan) -> Self {
        let state = State {
            serving: Vec::new(),
            wanted: 1,
            is_loading: false,
            is_awaited: false,
            failure: None,
            retry_after: None,
            back_off: BackOff::default(),
            scale: Scale::new(plan.zygotes_max),
            streak: Streak::new(),
            is_retired: false,
            started: 0,
            separation: None,
        };
        let (state, changed) = (Mutex::new(state), watch::Sender::new(()));
        Self { plan, state, changed }
    }

    /// Orders a child for a request. Returns `None` if the request must wait for a zygote.
    fn try_start(self: &Arc<Self>) -> Result<Option<Child>, Failure> {
        while let Some(zygote) = self.choose()? {
            // Without the lock, since it takes four system calls. A zygote that was retired meanwhile,
            // or may serve no more, isn't chosen again.
            let child = self.order(&zygote).map_err(Failure::NotStarted)?;
            if let Some(child) = child.filter(Child::assign) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// The zygote to order a request's child from; `None` if the request must wait for one.
    fn choose(self: &Arc<Self>) -> Result<Option<Arc<Zygote>>, Failure> {
        let mut state = self.lock();
        state.check_pause()?;
        if let Some(zygote) = state.least_busy(|zygote| zygote.wear().may_serve()) {
            return Ok(Some(zygote));
        }
        if state.least_busy(|_| true).is_some() {
            // Until a zygote may serve again, or its successor does.
            self.replace_worn(&mut state);
        } else if !state.is_awaited {
            if let Some((failure, until)) = &state.failure
                && Instant::now() < *until
            {
                return Err(Failure::NotLoaded(failure.clone()));
            }
            (state.is_awaited, state.failure) = (true, None);
            self.load(&mut state, None);
        }
        Ok(None)
    }

    fn order(&self, zygote: &Arc<Zygote>) -> io::Result<Option<Child>> {
        Child::order(zygote, Life::OneRequest, self.plan.function.release.limits.memory_bytes)
    }

    /// Orders a child that can serve more than one request. Returns `None` if no zygote takes orders.
    ///
    /// # Errors
    ///
    /// No descriptors or no memory is left.
    pub(in crate::execute) fn order_reusable(&self) -> io::Result<Option<Child>> {
        let Some(zygote) = self.lock().least_busy(|zygote| zygote.condition() < Condition::WornOut) else {
            return Ok(None);
        };
        Child::order(&zygote, Life::ManyRequests, self.plan.function.release.limits.memory_bytes)
    }

    /// Adds a zygote where they are the bottleneck, and gives one up where the others suffice.
    fn scale(&self, state: &mut State) {
        let zygotes = state.serving.iter().map(|serving| &serving.zygote);
        let shares: Vec<f64> =
            zygotes.inspect(|zygote| zygote.probe()).map(|zygote| zygote.usage()).collect();
        let function = || self.plan.function.name();
        match state.scale.tick(&shares) {
            Some(Change::Add) => {
                state.wanted = shares.len() + 1;
                tracing::debug!(
                    function = function(),
                    zygotes = state.wanted,
                    "zygote added: the others are busy"
                );
            }
            Some(Change::Remove) => {
                state.wanted = shares.len() - 1;
                tracing::debug!(
                    function = function(),
                    zygotes = state.wanted,
                    "zygote given up: the others suffice"
                );
                // The oldest, which would be replaced first.
                let Serving { zygote, .. } = state.serving.remove(0);
                self.give_up(state, &zygote);
            }
            None => {}
        }
    }

    /// Ends all zygotes and their idle children.
    fn unload(&self, state: &mut State) {
        (state.wanted, state.is_awaited) = (1, false);
        for Serving { zygote, .. } in std::mem::take(&mut state.serving) {
            self.give_up(state, &zygote);
        }
    }

    /// Ends a zygote that isn't needed, and its idle children.
    fn give_up(&self, state: &mut State, zygote: &Zygote) {
        zygote.retire();
        self.discard_idle(zygote);
        self.count_wear(state, zygote);
    }

    fn discard_idle(&self, zygote: &Zygote) {
        self.plan.idle.discard_of(zygote);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessFactory for Zygotes {
    type Process = Child;

    const STARTS_FAST: bool = true;

    /// Its zygote's age is limited.
    const IDLE_MAX: Duration = Duration::MAX;

    fn check(&self) -> Result<(), Failure> {
        self.lock().check_pause()
    }

    async fn start(self: &Arc<Self>, deadline: tokio::time::Instant) -> Result<Child, Failure> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(child) = self.try_start()? {
                return Ok(child);
            }
            let change = timeout_at(deadline, changed.changed()).await;
            // Not `DeadlineExceeded`: the function hasn't seen the request. The sender lives as long as `self`.
            change.map_err(|_| Failure::NotLoaded(LoadFailure::TooLate))?.ok();
        }
    }

    fn prewarm(self: &Arc<Self>) -> Option<Child> {
        let zygote = self.lock().least_busy(|zygote| zygote.condition() < Condition::WornOut)?;
        // Without descriptors, the present children must suffice.
        self.order(&zygote).ok()?
    }

    fn tick(self: &Arc<Self>, unused_for: Duration) -> bool {
        let mut state = self.lock();
        let unused_max = if state.is_retired { Duration::ZERO } else { UNUSED_MAX };
        if unused_for > unused_max {
            self.unload(&mut state);
        } else if !state.is_retired {
            self.scale(&mut state);
            self.replace_worn(&mut state);
        }
        let has_some = !state.serving.is_empty() || state.is_loading || state.started > 0;
        has_some || state.streak.paused_until(Instant::now()).is_some()
    }

    fn retire(&self) {
        self.lock().is_retired = true;
    }

    fn make_room(&self) {
        self.unload(&mut self.lock());
    }

    fn stats(&self) -> Stats {
        let State { started, separation, .. } = &*self.lock();
        Stats { zygotes: *started, separation: *separation, ..Stats::default() }
    }
}

impl State {
    fn check_pause(&self) -> Result<(), Failure> {
        match self.streak.paused_until(Instant::now()) {
            Some(until) => Err(Failure::NotLoaded(LoadFailure::Paused { until })),
            None => Ok(()),
        }
    }

    /// Of the zygotes that take orders and that `is_fit` selects, the one that has the fewest children.
    fn least_busy(&self, is_fit: impl Fn(&Zygote) -> bool) -> Option<Arc<Zygote>> {
        let zygotes = self.serving.iter().map(|serving| &serving.zygote);
        let fit = zygotes.filter_map(|zygote| Some((zygote.children()?, zygote)));
        let (_, least) = fit.filter(|(_, zygote)| is_fit(zygote)).min_by_key(|(children, _)| *children)?;
        Some(Arc::clone(least))
    }

    /// Whether it is one of the zygotes that serve.
    fn is_serving(&self, zygote: &Arc<Zygote>) -> bool {
        self.serving.iter().any(|serving| Arc::ptr_eq(&serving.zygote, zygote))
    }

    fn remove(&mut self, zygote: &Arc<Zygote>) {
        self.serving.retain(|serving| !Arc::ptr_eq(&serving.zygote, zygote));
    }
}
