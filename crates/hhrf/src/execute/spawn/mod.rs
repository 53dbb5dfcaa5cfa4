//! The `spawn` executor: each request gets a process that is started for it and ends with it.
//!
//! `prewarmed` has the idle runners, `started` is one runner with its pipes and cgroup, and `serving` is one request
//! with its runner.

mod prewarmed;
mod serving;
mod started;

use super::demand::IdlePermits;
use super::failure::Failure;
use super::pool::{Call, Executor, Pool, Stats};
use super::start::Starter;
use crate::admit::AdmittedRequest;
use crate::catalogue::Function;
use prewarmed::Prewarmed;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Starts a runner for each request.
#[derive(Debug)]
pub struct Spawn {
    starter: Arc<Starter>,
    idle: IdlePermits,
    spare_default: u32,
}

/// The runners of one function.
#[derive(Debug)]
struct SpawnPool {
    starter: Arc<Starter>,
    prewarmed: Arc<Prewarmed>,
}

impl Spawn {
    /// Prewarms up to `spare_default` runners for functions whose manifest doesn't say, as long as there are `idle`
    /// permits.
    pub fn new(starter: Arc<Starter>, idle: IdlePermits, spare_default: u32) -> Self {
        Self { starter, idle, spare_default }
    }
}

impl Executor for Spawn {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        let spare_max = function.release.spare.unwrap_or(self.spare_default);
        let starter = Arc::clone(&self.starter);
        let prewarmed =
            Prewarmed::new(Arc::clone(function), Arc::clone(&starter), self.idle.clone(), spare_max);
        Arc::new(SpawnPool { starter, prewarmed: Arc::new(prewarmed) })
    }
}

impl Pool for SpawnPool {
    /// Serves the request in a task of its own, which outlives the call: it reaps the process after the response.
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call {
        Box::pin(async move {
            let (reply, outcome) = oneshot::channel();
            tokio::spawn(async move {
                let prewarmed = &self.prewarmed;
                let waiting = prewarmed.begin();
                if waiting.is_none() {
                    // More requests at a time than before: prewarm more.
                    tokio::spawn(Arc::clone(prewarmed).fill());
                }
                let is_answered = serving::serve(&self.starter, request, reply, waiting).await;
                prewarmed.end(is_answered);
                Arc::clone(prewarmed).fill().await;
            });
            outcome.await.unwrap_or(Err(Failure::Host))
        })
    }

    fn tick(self: Arc<Self>) -> bool {
        self.prewarmed.tick()
    }

    fn retire(self: Arc<Self>) {
        self.prewarmed.retire();
    }

    fn stats(&self) -> Stats {
        self.prewarmed.stats()
    }
}
