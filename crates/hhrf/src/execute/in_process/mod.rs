//! The executor `in-process`: modules that are loaded into the host's own process, and called by threads of it.
//!
//! Only for code that is trusted as much as the host: nothing confines it, its limits of memory, processor time, threads
//! and network aren't in force, and if it crashes, the host does. `Executors` lets only those functions be served so
//! that the operator has named (`--allow-in-process`).
//!
//! A `pool` has the module of one release: loaded at the first call, kept while there are calls, evicted when there
//! were none for long. `module` is what is loaded, and [`load`] why it can't be. `threads` are those that call modules; of
//! them each function has its share (`shares`).

pub mod load;
mod module;
mod pool;
mod shares;
mod threads;

use super::pool::{Executor, Pool};
use crate::catalogue::Function;
use crate::metrics::InProcessMetrics;
use crate::settings::HostLimits;
use pool::ModulePool;
use shares::Shares;
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;

/// Calls modules in the host's process.
#[derive(Debug)]
pub(super) struct InProcess {
    shared: Arc<Shared>,
    overdue_max: u32,
}

/// What all modules of the host share.
#[derive(Debug)]
struct Shared {
    /// One for each call that may run at a time.
    shares: Arc<Shares>,
    threads: Threads,
    /// How long a module is kept without a call.
    idle: Duration,
    metrics: InProcessMetrics,
}

impl InProcess {
    pub(super) fn new(limits: &HostLimits, metrics: InProcessMetrics) -> Self {
        let calls_max = limits.in_process_threads as usize;
        let (shares, threads) = (Shares::new(calls_max), Threads::new(calls_max));
        let shared = Shared { shares, threads, idle: limits.in_process_idle, metrics };
        Self { shared: Arc::new(shared), overdue_max: limits.overdue }
    }
}

impl Executor for InProcess {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        Arc::new(ModulePool::new(function, Arc::clone(&self.shared), self.overdue_max))
    }
}
