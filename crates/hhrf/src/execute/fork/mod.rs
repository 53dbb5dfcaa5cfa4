//! The `fork` executor: each request gets a process that is forked for it from one that has the module loaded, the
//! function's zygote (`fezz-runner --zygote`).
//!
//! `zygotes` has a function's zygotes, and orders `child`ren from them; `zygotes/succession` loads and replaces them. A
//! `supervisor` starts, watches and ends a `zygote`, which takes orders and sends reports; `child_table` has the state
//! of its children. `usage` decides how many zygotes there are, `wear` when one has crashed too often, and `streak` when
//! its function has. `rewind` uses all of this, for children that serve more than one request.

mod child;
mod child_table;
mod streak;
mod supervisor;
mod usage;
mod wear;
mod zygote;
mod zygotes;

pub(super) use child::Child;
pub(super) use zygote::Zygote;
pub use zygotes::children_max;
pub(super) use zygotes::{ChildOf, IdleChildren, Plan, Zygotes};

use super::demand::{IdlePermits, Life, Spares};
use super::pool::{Executor, Pool};
use super::process_pool::ProcessPool;
use super::process_pool::idle::IdleQueue;
use super::start::Starter;
use crate::catalogue::Function;
use crate::metrics::WearCounters;
use std::sync::Arc;

/// Forks processes by zygotes.
#[derive(Debug)]
pub struct Fork {
    starter: Arc<Starter>,
    idle: IdlePermits,
    counters: WearCounters,
    spares: Spares,
    zygotes_max: usize,
}

impl Fork {
    /// Keeps up to `spares` idle children in a pool, as long as there are `idle` permits, and up to `zygotes_max` zygotes.
    pub fn new(
        starter: Arc<Starter>,
        idle: IdlePermits,
        counters: WearCounters,
        spares: Spares,
        zygotes_max: usize,
    ) -> Self {
        Self { starter, idle, counters, spares, zygotes_max }
    }
}

impl Executor for Fork {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        let spare_max = self.spares.of(function);
        let children = children_max(function.release.limits.concurrency, spare_max);
        let idle = IdleQueue::new(Life::OneRequest, spare_max, self.idle.clone());
        let zygotes = Zygotes::new(Plan {
            function: Arc::clone(function),
            starter: Arc::clone(&self.starter),
            counters: self.counters.clone(),
            children,
            zygotes_max: self.zygotes_max,
            life: Life::OneRequest,
            idle: Arc::clone(&idle) as Arc<dyn IdleChildren>,
        });
        Arc::new(ProcessPool::new(Arc::new(zygotes), idle, self.starter.stderr_bytes_max))
    }
}
