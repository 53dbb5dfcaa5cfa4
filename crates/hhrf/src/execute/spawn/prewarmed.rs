//! Prewarmed runners of one function: started before their requests, jailed, with the module loaded, each for one request.

use super::started::Started;
use crate::catalogue::Function;
use crate::execute::back_off::{BackOff, Retry};
use crate::execute::command::Purpose;
use crate::execute::demand::{Demand, IdlePermit, IdlePermits};
use crate::execute::failure::Failure;
use crate::execute::pool::Stats;
use crate::execute::start::Starter;
use crate::execute::stderr_log::StderrLog;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The idle runners of one function.
#[derive(Debug)]
pub(super) struct Prewarmed {
    function: Arc<Function>,
    starter: Arc<Starter>,
    permits: IdlePermits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The oldest first.
    waiting: VecDeque<Waiting>,
    demand: Demand,
    back_off: BackOff,
    /// None is started until then, after one ended without a request.
    broken_until: Option<Instant>,
    is_filling: bool,
    is_retired: bool,
}

#[derive(Debug)]
struct Waiting {
    started: Started,
    since: Instant,
    permit: IdlePermit,
}

/// The longest wait of an idle runner. The runner's own timeout includes it, so it limits how long a runner outlives a
/// killed host.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Time for an unneeded runner to exit once its stdin is closed.
const GRACE: Duration = Duration::from_millis(500);

impl Prewarmed {
    pub(super) fn new(
        function: Arc<Function>,
        starter: Arc<Starter>,
        permits: IdlePermits,
        spare_max: u32,
    ) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            demand: Demand::new(spare_max),
            back_off: BackOff::default(),
            broken_until: None,
            is_filling: false,
            is_retired: false,
        };
        Self { function, starter, permits, state: Mutex::new(state) }
    }

    /// A request begins. Returns an idle runner for it, if there is one.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Started> {
        let mut state = self.lock();
        state.demand.begin(Instant::now());
        while let Some(waiting) = state.waiting.pop_front() {
            if !waiting.started.process.has_exited() {
                return Some(waiting.started);
            }
            tokio::spawn(Arc::clone(self).end_unused(waiting));
        }
        None
    }

    /// A request has ended; `is_answered` means that the module can be loaded.
    pub(super) fn end(&self, is_answered: bool) {
        let mut state = self.lock();
        state.demand.end(Instant::now());
        if is_answered {
            (state.back_off, state.broken_until) = (BackOff::default(), None);
        }
    }

    /// Starts as many runners as are wanted.
    pub(super) async fn fill(self: Arc<Self>) {
        if std::mem::replace(&mut self.lock().is_filling, true) {
            return;
        }
        while let Some(permit) = self.permit_for_next() {
            let timeout = WAIT_MAX + self.function.release.timeout;
            match Started::start(&self.starter, &self.function, Purpose::Prewarm { timeout }) {
                Ok(started) => {
                    let waiting = Waiting { started, since: Instant::now(), permit };
                    self.lock().waiting.push_back(waiting);
                }
                Err(error) => {
                    let function = self.function.name();
                    let retry = self.lock().pause();
                    tracing::warn!(function, %error, "failed to prewarm a runner; {retry}");
                }
            }
            // Starting one blocks this thread for a millisecond: let other tasks run.
            tokio::task::yield_now().await;
        }
        self.lock().is_filling = false;
    }

    /// Ends runners that waited too long or aren't wanted any more. Returns whether the pool is still needed.
    pub(super) fn tick(self: &Arc<Self>) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        let wanted = if state.is_retired { 0 } else { state.demand.wanted(now) };
        let (mut fit, mut unfit) = (VecDeque::new(), Vec::new());
        for waiting in std::mem::take(&mut state.waiting) {
            let is_fit =
                now.duration_since(waiting.since) < WAIT_MAX && !waiting.started.process.has_exited();
            if is_fit && fit.len() < wanted { fit.push_back(waiting) } else { unfit.push(waiting) }
        }
        state.waiting = fit;
        for waiting in unfit {
            tokio::spawn(Arc::clone(self).end_unused(waiting));
        }
        if state.waiting.len() < wanted && !state.is_filling {
            tokio::spawn(Arc::clone(self).fill());
        }
        !state.waiting.is_empty() || state.is_filling || state.demand.idle_for(now) < WAIT_MAX
    }

    /// The function isn't served any more, except for requests in flight.
    pub(super) fn retire(self: &Arc<Self>) {
        self.lock().is_retired = true;
        self.tick();
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.lock();
        let unused_for = state.demand.idle_for(Instant::now());
        Stats { idle: state.waiting.len(), unused_for, ..Stats::default() }
    }

    /// A permit to start one more, if one is wanted and may be started.
    fn permit_for_next(&self) -> Option<IdlePermit> {
        let now = Instant::now();
        let mut state = self.lock();
        let wanted = state.demand.wanted(now);
        let is_broken = state.broken_until.is_some_and(|until| now < until);
        if is_broken || state.is_retired || state.waiting.len() >= wanted {
            return None;
        }
        drop(state);
        self.permits.take()
    }

    /// Ends a runner that had no request.
    async fn end_unused(self: Arc<Self>, waiting: Waiting) {
        let Waiting { started, permit, .. } = waiting;
        let Started { process, streams, cgroup } = started;
        let has_failed = process.has_exited();
        // This tells it that it isn't needed.
        drop((streams.stdin, streams.stdout));
        let ended = process.end(Some(GRACE)).await;
        let stderr =
            StderrLog::new(streams.stderr.into(), &self.function, None, self.starter.stderr_bytes_max);
        if let Ok(stderr) = stderr {
            stderr.finish();
        }
        drop(cgroup);
        if has_failed && let Ok(ended) = ended {
            let retry = self.lock().pause();
            tracing::error!(
                function = self.function.name(),
                error = %Failure::of_exit(ended.status, self.function.release.limits.memory_bytes),
                "a prewarmed runner ended before it had a request; {retry}"
            );
        }
        drop(permit);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pause(&mut self) -> Retry {
        let retry = self.back_off.failed();
        self.broken_until = Some(retry.at);
        retry
    }
}
