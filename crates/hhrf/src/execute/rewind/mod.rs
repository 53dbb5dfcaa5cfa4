//! The `rewind` executor: a process serves request after request, and is put back to its snapshot after each, so that a
//! request finds nothing of an earlier one.
//!
//! It stands on `fork`: the function's zygotes fork the processes. `preparation` gets a child ready: its descriptors, its
//! files in /proc, its snapshot. `parked` is such a child, which waits for a request. `exchange` is one request with it:
//! writes the request into the child's memory, answers its system calls, reads the response. `rewinder` decides what
//! happens to it then: a child that made only calls without a lasting effect is put back, any other is killed and
//! replaced. `comparisons` compares some of them with their snapshot. `verdict` ends the rewinding of a function for
//! which it is impossible, or went wrong: `fork` serves it then.
//!
//! No request waits for a preparation, which takes milliseconds: a request that finds no child ready gets one that is
//! forked for it alone.
//!
//! What touches another process's memory is in the crate `fezz-rewind`.

mod comparisons;
mod cpu_limit;
mod exchange;
mod parked;
mod preparation;
mod rewinder;
mod verdict;

pub use verdict::Rewinding;

use super::demand::{IdlePermits, Life, Spares};
use super::fork::{IdleChildren, Plan, Zygotes, children_max};
use super::pool::{Executor, Pool};
use super::process_pool::ProcessPool;
use super::process_pool::idle::IdleQueue;
use super::start::Starter;
use crate::catalogue::Function;
use crate::metrics::{RewindCounters, WearCounters};
use comparisons::Comparisons;
use rewinder::Rewinder;
use std::sync::Arc;
use tokio::sync::Semaphore;
use verdict::Verdicts;

/// Puts processes back to their snapshots.
#[derive(Debug)]
pub struct Rewind {
    starter: Arc<Starter>,
    idle: IdlePermits,
    wear: WearCounters,
    spares: Spares,
    zygotes_max: usize,
    host: Arc<OfHost>,
}

/// What all functions of a host share.
#[derive(Debug)]
struct OfHost {
    counters: RewindCounters,
    comparisons: Arc<Comparisons>,
    verdicts: Verdicts,
    /// Held while a snapshot is taken: it reads all memory of a process.
    snapshot: Semaphore,
}

impl Rewind {
    /// Keeps up to `spares` processes in a pool, in addition to those that lately served, as long as there are `idle`
    /// permits, and up to `zygotes_max` zygotes. Compares processes with their snapshots for up to `checks_percent` of one
    /// processor's time.
    pub(crate) fn new(
        starter: Arc<Starter>,
        idle: IdlePermits,
        wear: WearCounters,
        counters: RewindCounters,
        spares: Spares,
        zygotes_max: usize,
        checks_percent: u32,
    ) -> Self {
        let comparisons = Comparisons::new(checks_percent);
        let verdicts = Verdicts::default();
        let host = Arc::new(OfHost { counters, comparisons, verdicts, snapshot: Semaphore::new(1) });
        Self { starter, idle, wear, spares, zygotes_max, host }
    }
}

impl Executor for Rewind {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        let spare_max = self.spares.of(function);
        let idle = IdleQueue::new(Life::ManyRequests, spare_max, self.idle.clone());
        let zygotes = Arc::new(Zygotes::new(Plan {
            function: Arc::clone(function),
            starter: Arc::clone(&self.starter),
            counters: self.wear.clone(),
            // Those that serve once, and those that serve again.
            children: 2 * children_max(function.release.limits.concurrency, spare_max),
            zygotes_max: self.zygotes_max,
            life: Life::ManyRequests,
            idle: Arc::clone(&idle) as Arc<dyn IdleChildren>,
        }));
        let host = Arc::clone(&self.host);
        let rewinder = Rewinder::new(Arc::clone(function), zygotes, Arc::clone(&idle), host);
        Arc::new(ProcessPool::new(Arc::new(rewinder), idle, self.starter.stderr_bytes_max))
    }
}
