//! Executors with a pool of processes for each processor, by [`Cores`].

use super::Failure;
use super::pool::{Call, Executor, Pool, Stats};
use crate::admitted::AdmittedRequest;
use crate::catalogue::Function;
use crate::cores::Cores;
use std::sync::Arc;

/// Has `inner` make a pool for each processor.
#[derive(Debug)]
pub(super) struct PerCore<E> {
    inner: E,
    cores: Arc<Cores>,
}

/// The pools of one function.
#[derive(Debug)]
struct PoolPerCore {
    /// By the position of their processor.
    pools: Vec<Arc<dyn Pool>>,
    cores: Arc<Cores>,
}

impl<E: Executor> PerCore<E> {
    pub(super) fn new(inner: E, cores: Arc<Cores>) -> Self {
        Self { inner, cores }
    }
}

impl<E: Executor> Executor for PerCore<E> {
    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        let pool_of = |runtime: &tokio::runtime::Handle| {
            let _entered = runtime.enter();
            self.inner.pool(function)
        };
        let pools = self.cores.runtimes().map(pool_of).collect();
        Arc::new(PoolPerCore { pools, cores: Arc::clone(&self.cores) })
    }
}

impl PoolPerCore {
    /// Calls `act` with each pool, within the runtime of its processor.
    fn each<T>(&self, act: impl Fn(&Arc<dyn Pool>) -> T) -> Vec<T> {
        let pools = self.cores.runtimes().zip(&self.pools);
        let within = pools.map(|(runtime, pool)| {
            let _entered = runtime.enter();
            act(pool)
        });
        within.collect()
    }
}

impl Pool for PoolPerCore {
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call {
        Box::pin(async move {
            let (position, counted) = self.cores.begin_request();
            let call = Arc::clone(&self.pools[position]).call(request);
            let counted_call = async move {
                let _counted = counted;
                call.await
            };
            self.cores.run(position, counted_call).await.unwrap_or(Err(Failure::Host))
        })
    }

    fn tick(self: Arc<Self>) -> bool {
        self.each(|pool| Arc::clone(pool).tick()).contains(&true)
    }

    fn retire(self: Arc<Self>) {
        self.each(|pool| Arc::clone(pool).retire());
    }

    fn make_room(&self) {
        self.each(|pool| pool.make_room());
    }

    fn stats(&self) -> Stats {
        let stats = self.pools.iter().map(|pool| pool.stats());
        stats.reduce(Stats::and).unwrap_or_default()
    }
}
