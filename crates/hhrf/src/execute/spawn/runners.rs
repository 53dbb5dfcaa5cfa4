//! Starts the runners of one function: for a request that is at hand, or prewarmed, which means jailed and with the
//! module loaded.

use super::runner::Runner;
use crate::catalogue::Function;
use crate::execute::back_off::{BackOff, Retry};
use crate::execute::command::Purpose;
use crate::execute::failure::Failure;
use crate::execute::pool::Stats;
use crate::execute::process_pool::factory::ProcessFactory;
use crate::execute::start::Starter;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Starts the runners of one function.
#[derive(Debug)]
pub(super) struct Runners {
    pub(super) function: Arc<Function>,
    pub(super) starter: Arc<Starter>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    back_off: BackOff,
    /// None is prewarmed until then, after one ended without a request.
    broken_until: Option<Instant>,
}

impl Runners {
    pub(super) fn new(function: Arc<Function>, starter: Arc<Starter>) -> Self {
        Self { function, starter, state: Mutex::default() }
    }

    /// A runner has answered: the module can be loaded.
    pub(super) fn has_answered(&self) {
        *self.lock() = State::default();
    }

    /// A prewarmed runner ended before it had a request.
    pub(super) fn ended_unused(&self, status: ExitStatus) {
        let retry = self.pause();
        tracing::error!(
            function = self.function.name(),
            error = %Failure::of_exit(status, self.function.release.limits.memory_bytes),
            "a prewarmed runner ended before it had a request; {retry}"
        );
    }

    fn pause(&self) -> Retry {
        let mut state = self.lock();
        let retry = state.back_off.failed();
        state.broken_until = Some(retry.at);
        retry
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessFactory for Runners {
    type Process = Runner;

    const STARTS_FAST: bool = false;

    /// A runner's own timeout includes it, so it limits how long a runner outlives a killed host.
    const IDLE_MAX: Duration = Duration::from_secs(60);

    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn start(self: &Arc<Self>, deadline: tokio::time::Instant) -> Result<Runner, Failure> {
        let timeout = deadline.saturating_duration_since(tokio::time::Instant::now());
        Runner::start(self, Purpose::Request { timeout }).map_err(Failure::NotStarted)
    }

    fn prewarm(self: &Arc<Self>) -> Option<Runner> {
        if self.lock().broken_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let timeout = Self::IDLE_MAX + self.function.release.timeout;
        match Runner::start(self, Purpose::Prewarm { timeout }) {
            Ok(runner) => Some(runner),
            Err(error) => {
                let (function, retry) = (self.function.name(), self.pause());
                tracing::warn!(function, %error, "failed to prewarm a runner; {retry}");
                None
            }
        }
    }

    fn tick(self: &Arc<Self>, _: Duration) -> bool {
        false
    }

    fn retire(&self) {}

    fn make_room(&self) {}

    fn stats(&self) -> Stats {
        Stats::default()
    }
}
