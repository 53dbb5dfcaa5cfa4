//! The `fork` executor: each request gets a process that is forked for it from one that has the module loaded, the
//! function's zygote (`fezz-runner --zygote`).
//!
//! `pool` has a function's zygote and the children that wait for requests; `pool/succession` is how its zygotes follow
//! each other. `exchange` is one request with one `child`. A `supervisor` starts, watches and ends a `zygote`, to which orders
//! go and from which reports come; `child_table` is what is known of its children. `wear` is when it has crashed too
//! often, and `streak` when its function has. [`load`] is why there is no zygote.

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
    /// Keeps up to `spare_default` idle children for functions that don't say it themselves, as long as there are permits
    /// for `idle` ones.
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
        /// A child that waited can be gone, killed by the kernel for instance; one after the other is where the zygote is
        /// gone, which a busy host hears of some milliseconds later. Then there is another one: the pauses, each twice as
        /// long as the one before, are an eighth of a second together.
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
                        // While the child is at work.
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
        self.tidy()
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
