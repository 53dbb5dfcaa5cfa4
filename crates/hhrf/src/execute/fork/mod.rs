//! The `fork` executor: each request gets a process that is forked for it from one that has the module loaded, the
//! function's zygote (`fezz-runner --zygote`).
//!
//! `pool` has a function's zygote and its idle children; `pool/succession` loads and replaces the zygote. `exchange` is
//! one request with one `child`. A `supervisor` starts, watches and ends a `zygote`, which takes orders and sends
//! reports; `child_table` has the state of its children. `wear` decides when a zygote has crashed too often, and
//! `streak` when its function has. [`load`] is why a zygote can't be loaded.

mod child;
mod child_table;
mod exchange;
pub mod load;
mod pool;
mod streak;
mod supervisor;
mod wear;
mod zygote;

pub use pool::children_max;

use super::Failure;
use super::demand::IdlePermits;
use super::pool::{Call, Executor, Pool, Stats};
use super::start::Starter;
use crate::admit::AdmittedRequest;
use crate::catalogue::Function;
use crate::metrics::WearCounters;
use exchange::Exchange;
use pool::ZygotePool;
use std::sync::Arc;
use std::time::Duration;

/// Forks processes by zygotes.
#[derive(Debug)]
pub struct Fork {
    starter: Arc<Starter>,
    idle: IdlePermits,
    counters: WearCounters,
    spare_default: u32,
}

/// A request of a pool, counted until it is dropped.
struct Counted(Arc<ZygotePool>);

impl Fork {
    /// Keeps up to `spare_default` idle children for functions whose manifest doesn't say, as long as there are `idle`
    /// permits.
    pub fn new(starter: Arc<Starter>, idle: IdlePermits, counters: WearCounters, spare_default: u32) -> Self {
        Self { starter, idle, counters, spare_default }
    }
}

impl Executor for Fork {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        let spare_max = function.release.spare.unwrap_or(self.spare_default);
        let (starter, idle) = (Arc::clone(&self.starter), self.idle.clone());
        Arc::new(ZygotePool::new(Arc::clone(function), starter, idle, self.counters.clone(), spare_max))
    }
}

impl Pool for ZygotePool {
    fn call(self: Arc<Self>, mut request: AdmittedRequest) -> Call {
        /// An idle child can be gone, for example killed by the kernel. If the zygote is gone, all of its children are,
        /// and a busy host notices some milliseconds later and loads another. The pauses, each twice as long as the one
        /// before, are an eighth of a second together.
        const ATTEMPTS: u32 = 8;
        const PAUSE: Duration = Duration::from_millis(1);
        Box::pin(async move {
            self.begin();
            let counted = Counted(self);
            let pool = &counted.0;
            for attempt in 1.. {
                let child = pool.take(request.deadline).await?;
                match Exchange::begin(child, request, pool.stderr_bytes_max()) {
                    Ok((exchange, rest)) => {
                        // While the child works.
                        pool.refill();
                        return exchange.answer(rest).await;
                    }
                    Err((error, _)) if attempt == ATTEMPTS => return Err(Failure::NotStarted(error)),
                    Err((_, again)) => request = *again,
                }
                tokio::time::sleep(PAUSE * (1 << (attempt - 1))).await;
            }
            Err(Failure::Host)
        })
    }

    fn tick(self: Arc<Self>) -> bool {
        self.maintain()
    }

    fn retire(self: Arc<Self>) {
        self.end_with_function();
    }

    fn reject(&self) {
        self.blame();
    }

    fn make_room(&self) {
        self.give_up_zygote();
    }

    fn stats(&self) -> Stats {
        self.count()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.end();
    }
}
