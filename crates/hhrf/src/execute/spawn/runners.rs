//! Starts the runners of one function: for a request that is at hand, or prewarmed, which means jailed and with the
//! module loaded.

use super::runner::Runner;
use super::shared::Shared;
use crate::execute::command::Purpose;
use crate::execute::failure::Failure;
use crate::execute::pool::Stats;
use crate::execute::process_pool::factory::ProcessFactory;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Starts the runners of one function.
#[derive(Debug)]
pub(super) struct Runners(pub(super) Arc<Shared>);

impl ProcessFactory for Runners {
    type Process = Runner;

    const STARTS_FAST: bool = false;

    /// A runner's own timeout includes it, so it limits how long a runner outlives a killed host.
    const IDLE_MAX: Duration = Duration::from_secs(60);

    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn start(self: &Arc<Self>, deadline: Instant) -> Result<Runner, Failure> {
        let timeout = deadline.saturating_duration_since(Instant::now());
        Runner::start(&self.0, Purpose::Request { timeout }).map_err(Failure::NotStarted)
    }

    fn prewarm(self: &Arc<Self>) -> Option<Runner> {
        if !self.0.may_prewarm() {
            return None;
        }
        let timeout = Self::IDLE_MAX + self.0.function.release.timeout;
        match Runner::start(&self.0, Purpose::Prewarm { timeout }) {
            Ok(runner) => Some(runner),
            Err(error) => {
                let (function, retry) = (self.0.function.name(), self.0.pause());
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
