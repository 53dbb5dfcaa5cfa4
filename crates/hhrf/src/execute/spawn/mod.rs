//! The `spawn` executor: each request gets a runner that is started for it and ends with it.
//!
//! `runners` starts them, also ahead of their requests; `runner` is one of them, with its pipes and cgroup; `shared` is
//! what they share.

mod runner;
mod runners;
mod shared;

use super::demand::{IdlePermits, Life};
use super::pool::{Executor, Pool};
use super::process_pool::ProcessPool;
use super::process_pool::idle::IdleQueue;
use super::start::Starter;
use crate::catalogue::Function;
use runners::Runners;
use shared::Shared;
use std::sync::Arc;

/// Starts a runner for each request.
#[derive(Debug)]
pub struct Spawn {
    starter: Arc<Starter>,
    idle: IdlePermits,
    spare_default: u32,
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
        let stderr_bytes_max = self.starter.stderr_bytes_max;
        let shared = Shared::new(Arc::clone(function), Arc::clone(&self.starter));
        let idle = IdleQueue::new(Life::OneRequest, spare_max, self.idle.clone());
        Arc::new(ProcessPool::new(Arc::new(Runners(Arc::new(shared))), idle, stderr_bytes_max))
    }
}
