//! The zygote of one function, the children that wait ahead of their requests, and when there are to be none.

use super::child::{Child, Idle};
use super::keeper::{Ending, Keeper};
use super::load::LoadFailure;
use super::streak::Streak;
use super::wear::Condition;
use super::zygote::Zygote;
use crate::catalogue::Function;
use crate::execute::Failure;
use crate::execute::back_off::BackOff;
use crate::execute::spare::{Demand, Spares};
use crate::execute::start::Starter;
use crate::metrics::WearCounters;
use fezz_wire::control::Separation;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout_at;

/// What a function's requests are served by.
#[derive(Debug)]
pub(super) struct Family {
    function: Arc<Function>,
    starter: Arc<Starter>,
    spares: Spares,
    counters: WearCounters,
    /// The most children at a time, of all of its zygotes together.
    children: u64,
    state: Mutex<State>,
    /// Whoever waits for a zygote is to look again.
    news: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The oldest first: it is the one that is ready.
    idle: VecDeque<Idle>,
    demand: Demand,
    back_off: BackOff,
    is_loading: bool,
    /// A successor couldn't be loaded; until then that isn't tried again.
    retry_after: Option<Instant>,
    /// Until then a zygote that is merely old is good enough.
    renew_after: Option<Instant>,
    streak: Streak,
    is_retired: bool,
    /// Zygotes that have been started and aren't gone.
    zygotes: usize,
    /// As the newest zygote said.
    separation: Option<Separation>,
}

#[derive(Debug)]
enum Phase {
    /// Nobody calls the function.
    Asleep,
    Starting,
    Up(Arc<Zygote>),
    /// It can't be loaded; until then that isn't tried again.
    Broken {
        failure: LoadFailure,
        until: Instant,
    },
}

/// A zygote is kept for longer than its children: it costs one process's memory, and to start one some milliseconds.
pub(super) const ZYGOTE_IDLE_MAX: Duration = Duration::from_secs(60);

/// How much longer than its loading a zygote serves before one that is merely old is renewed: clients that go away make
/// zygotes old, and may not have the host do much else than to load them.
const RENEW_AFTER_LOADS: u32 = 20;

/// How many children a function has at most: those who wait, those who serve, and as many on their way out.
pub fn children_max(concurrency: u32, spare_max: u32) -> u64 {
    2 * (u64::from(concurrency) + u64::from(spare_max))
}

impl Family {
    pub(super) fn new(
        function: Arc<Function>,
        starter: Arc<Starter>,
        spares: Spares,
        counters: WearCounters,
        spare_max: u32,
    ) -> Self {
        let children = children_max(function.limits.concurrency, spare_max);
        let state = State {
            phase: Phase::Asleep,
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
        Self { function, starter, spares, counters, children, state, news }
    }

    /// Takes a child for a request that begins: one that waits, else one that is ordered now. Waits for a zygote where
    /// there is none.
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
            // Not as a deadline that the function has let pass: it has heard nothing of the request. And the sender of
            // news lives as long as this.
            changed.map_err(|_| Failure::NotLoaded(LoadFailure::TooLate))?.ok();
        }
    }

    fn try_take(self: &Arc<Self>) -> Result<Option<Child>, Failure> {
        let mut state = self.lock();
        if let Some(until) = state.streak.paused_until(Instant::now()) {
            return Err(Failure::NotLoaded(LoadFailure::Paused { until }));
        }
        match &state.phase {
            Phase::Up(zygote) if zygote.is_of_use() => {
                let zygote = Arc::clone(zygote);
                if !zygote.wear().may_serve() {
                    // Until it may again, or its successor does.
                    self.look_after(&mut state);
                    return Ok(None);
                }
                while let Some(Idle { child, .. }) = state.idle.pop_front() {
                    if child.handle.assign() {
                        return Ok(Some(child));
                    }
                }
                // While nobody can retire it.
                let child = zygote.order().map_err(Failure::NotStarted)?;
                // Where it is gone already, those who wait for it hear of that.
                child.handle.assign();
                Ok(Some(child))
            }
            Phase::Broken { failure, until } if Instant::now() < *until => {
                Err(Failure::NotLoaded(failure.clone()))
            }
            Phase::Starting => Ok(None),
            Phase::Asleep | Phase::Up(_) | Phase::Broken { .. } => {
                state.phase = Phase::Starting;
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

    /// Orders as many children as should wait; and a new zygote, when it is time.
    pub(super) fn refill(self: &Arc<Self>) {
        let mut state = self.lock();
        let Phase::Up(zygote) = &state.phase else { return };
        let zygote = Arc::clone(zygote);
        let wanted = if state.is_retired { 0 } else { state.demand.wanted(Instant::now()) };
        while state.idle.len() < wanted && zygote.condition() < Condition::WornOut {
            let Some(permit) = self.spares.take() else { break };
            // Without descriptors, those that there are have to do.
            let Ok(child) = zygote.order() else { break };
            state.idle.push_back(Idle { child, _permit: permit });
        }
        self.look_after(&mut state);
    }

    /// A child has answered by what is no response, as turned out later.
    pub(super) fn blame(&self) {
        if let Phase::Up(zygote) = &self.lock().phase {
            zygote.blame();
        }
    }

    /// Has the zygote's successor loaded when it is time, and the zygote itself put out of service.
    fn look_after(self: &Arc<Self>, state: &mut State) {
        let Phase::Up(zygote) = &state.phase else { return };
        let is_past = |after: Option<Instant>| after.is_none_or(|after| Instant::now() >= after);
        match zygote.condition() {
            Condition::Good => {}
            Condition::Old if !is_past(state.renew_after) => {}
            Condition::Old | Condition::Suspect => {
                if is_past(state.retry_after) {
                    self.load(state);
                }
            }
            Condition::WornOut => {
                let zygote = Arc::clone(zygote);
                state.phase = Phase::Starting;
                self.end_service(state, &zygote);
                self.load(state);
            }
        }
    }

    /// A zygote is given no more requests, nor are those of its children that wait. It ends behind those that it has.
    fn end_service(&self, state: &mut State, zygote: &Zygote) {
        zygote.retire();
        state.idle.clear();
        state.streak.end(&zygote.wear()).tell(&self.function.name(), &self.counters);
        // Those who wait for it have to look again.
        self.news.send_replace(());
    }

    /// Gives up what isn't needed any more. Returns whether there is anything left.
    pub(super) fn tidy(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let wanted = state.demand.wanted(now);
        if state.idle.len() > wanted {
            state.idle.truncate(wanted);
        }
        let idle_max = if state.is_retired { Duration::ZERO } else { ZYGOTE_IDLE_MAX };
        if state.demand.idle_for(now) > idle_max {
            self.sleep(&mut state);
            if state.is_retired && matches!(state.phase, Phase::Broken { .. }) {
                // Nobody will try it again.
                state.phase = Phase::Asleep;
            }
        }
        let is_needed = state.demand.idle_for(now).is_zero() || state.streak.paused_until(now).is_some();
        !matches!(state.phase, Phase::Asleep) || state.zygotes > 0 || is_needed
    }

    /// For how long the function hasn't been called, if it has a zygote that could be given up.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let state = self.lock();
        let idle_for = state.demand.idle_for(Instant::now());
        (state.zygotes > 0 && !idle_for.is_zero()).then_some(idle_for)
    }

    /// Gives up what waits, for others who need it more.
    pub(super) fn make_room(&self) {
        self.sleep(&mut self.lock());
    }

    fn sleep(&self, state: &mut State) {
        state.idle.clear();
        if let Phase::Up(zygote) = &state.phase {
            let zygote = Arc::clone(zygote);
            zygote.retire();
            state.phase = Phase::Asleep;
            self.remember(state, &zygote);
        }
    }

    /// A zygote is gone before its successor was there: whoever has brought that about, by taking all memory for instance,
    /// mustn't have its crashes forgotten.
    fn remember(&self, state: &mut State, zygote: &Zygote) {
        if zygote.condition() >= Condition::Suspect {
            self.end_service(state, zygote);
        }
    }

    /// The function isn't served any more, but for requests under way.
    pub(super) fn retire(&self) {
        self.lock().is_retired = true;
        self.tidy();
    }

    /// How many children wait, and how many zygotes there are.
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.lock();
        (state.idle.len(), state.zygotes)
    }

    /// What keeps its children apart; `None` before there is a zygote.
    pub(super) fn separation(&self) -> Option<Separation> {
        self.lock().separation
    }

    /// Loads a zygote, unless that is being done.
    fn load(self: &Arc<Self>, state: &mut State) {
        if !std::mem::replace(&mut state.is_loading, true) {
            tokio::spawn(Arc::clone(self).start());
        }
    }

    /// Starts a zygote: for requests that wait for one, or to take over from another, of which those who are served
    /// notice nothing.
    async fn start(self: Arc<Self>) {
        let begun = Instant::now();
        let started = self.start_keeper().await;
        let mut state = self.lock();
        state.is_loading = false;
        match started {
            Ok(keeper) => {
                state.renew_after = Some(Instant::now() + begun.elapsed() * RENEW_AFTER_LOADS);
                self.take_over(&mut state, &keeper.zygote);
                tokio::spawn(Arc::clone(&self).keep(keeper));
            }
            Err(failure) => {
                let until = state.back_off.failed();
                match state.phase {
                    Phase::Starting => state.phase = Phase::Broken { failure, until },
                    Phase::Asleep | Phase::Up(_) | Phase::Broken { .. } => state.retry_after = Some(until),
                }
            }
        }
        drop(state);
        self.news.send_replace(());
    }

    fn take_over(&self, state: &mut State, zygote: &Arc<Zygote>) {
        match &state.phase {
            Phase::Up(old) => {
                let old = Arc::clone(old);
                state.phase = Phase::Up(Arc::clone(zygote));
                self.end_service(state, &old);
            }
            Phase::Starting => state.phase = Phase::Up(Arc::clone(zygote)),
            // Meanwhile the old one has ended by itself, or nobody calls the function.
            Phase::Asleep | Phase::Broken { .. } => zygote.retire(),
        }
    }

    async fn start_keeper(&self) -> Result<Keeper, LoadFailure> {
        self.lock().zygotes += 1;
        match Keeper::start(&self.starter, &self.function, self.children).await {
            Ok((keeper, separation)) => {
                tracing::debug!(function = self.function.name(), ?separation, "a zygote is ready");
                self.lock().separation = Some(separation);
                Ok(keeper)
            }
            Err(failure) => {
                self.lock().zygotes -= 1;
                tracing::error!(
                    function = self.function.name(),
                    error = crate::log::chain(&failure),
                    "the function can't be loaded; it is tried again, ever more seldom"
                );
                Err(failure)
            }
        }
    }

    async fn keep(self: Arc<Self>, keeper: Keeper) {
        let zygote = Arc::clone(&keeper.zygote);
        let ending = tokio::select! {
            ending = keeper.keep() => ending,
            never = self.attend(&zygote) => match never {},
        };
        let mut state = self.lock();
        state.zygotes -= 1;
        if let Ending::Retired = ending {
            state.back_off = BackOff::default();
        }
        if let Phase::Up(current) = &state.phase
            && Arc::ptr_eq(current, &zygote)
        {
            state.idle.clear();
            self.remember(&mut state, &zygote);
            let again = match ending {
                Ending::Retired => None,
                Ending::Died(_) | Ending::Hung => state.back_off.ended(zygote.lived()),
            };
            state.phase = match again {
                None => Phase::Asleep,
                Some(until) => Phase::Broken { failure: LoadFailure::Unstable, until },
            };
        }
        drop(state);
        ending.tell(&self.function.name());
        self.news.send_replace(());
    }

    /// Sees to it that a zygote is out of service, and those who wait for it know, as soon as it is worn out.
    async fn attend(self: &Arc<Self>, zygote: &Arc<Zygote>) -> Infallible {
        loop {
            zygote.worn().await;
            let mut state = self.lock();
            if matches!(&state.phase, Phase::Up(current) if Arc::ptr_eq(current, zygote)) {
                self.look_after(&mut state);
            }
            drop(state);
            self.news.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
