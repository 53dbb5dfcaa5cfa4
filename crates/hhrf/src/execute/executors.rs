//! All executors of a host, and the pool of each function that was called lately.

use super::demand::IdlePermits;
use super::fork::Fork;
use super::pool::{Call, Executor, Pool, Stats};
use super::pools::Pools;
use super::spawn::Spawn;
use super::start::Starter;
use crate::admitted::AdmittedRequest;
use crate::catalogue::{Execution, Function};
use crate::metrics::WearCounters;
use crate::settings::Settings;
use std::cmp::Reverse;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// All executors of a host.
#[derive(Debug)]
pub struct Executors {
    starter: Arc<Starter>,
    idle: IdlePermits,
    default: Execution,
    zygotes_max: usize,
    executors: Vec<(Execution, Arc<dyn Executor>)>,
    pools: Pools,
}

impl Executors {
    /// Makes the builtin executors, which start runners by `starter` and count worn-out zygotes in `counters`.
    pub fn new(settings: &Settings, starter: Starter, counters: WearCounters) -> Self {
        let limits = &settings.limits;
        let (starter, idle) = (Arc::new(starter), IdlePermits::new(limits.spare_total));
        let (of_spawn, of_fork) = (Arc::clone(&starter), Arc::clone(&starter));
        let executors: Vec<(Execution, Arc<dyn Executor>)> = vec![
            (Execution::Spawn, Arc::new(Spawn::new(of_spawn, idle.clone(), limits.spare))),
            (
                Execution::Fork,
                Arc::new(Fork::new(
                    of_fork,
                    idle.clone(),
                    counters,
                    limits.spare,
                    limits.zygotes_per_function,
                )),
            ),
        ];
        Self {
            default: settings.execution,
            zygotes_max: limits.zygotes as usize,
            executors,
            pools: Pools::default(),
            starter,
            idle,
        }
    }

    /// Has the functions of an execution answered by `executor`, instead of the one that it had.
    pub fn replace(&mut self, execution: Execution, executor: Arc<dyn Executor>) {
        self.executors.retain(|(replaced, _)| *replaced != execution);
        self.executors.push((execution, executor));
    }

    /// Executes a request by its function's pool. See [`Pool::call`] for what happens when the future
    /// is dropped.
    pub fn execute(&self, request: AdmittedRequest) -> Call {
        let execution = request.function.release.execution_or(self.default);
        let executor = self.executors.iter().find(|(listed, _)| *listed == execution);
        let (_, executor) = executor.expect("each execution has an executor");
        let pool = self.pools.of(&request.function, || executor.pool(&request.function));
        pool.call(request)
    }

    /// What a function's pool has; nothing where there is none.
    pub fn stats(&self, function: &Arc<Function>) -> Stats {
        self.pools.get(function).map(|pool| pool.stats()).unwrap_or_default()
    }

    /// Ends orphans periodically, for ever.
    pub async fn keep_ending_orphans(&self) -> Infallible {
        let children = &self.starter.children;
        children.keep_ending_orphans(|processes| self.starter.log_orphans(processes, None, None)).await
    }

    /// Calls [`Pool::tick`] of all pools each second, for ever.
    pub async fn keep_ticking(&self) -> Infallible {
        const EVERY: Duration = Duration::from_secs(1);
        loop {
            tokio::time::sleep(EVERY).await;
            self.pools.tick();
            self.give_up_zygotes();
        }
    }

    /// If functions that aren't called have too many zygotes, ends some of them, the longest unused first.
    fn give_up_zygotes(&self) {
        let pools = self.pools.all().into_iter().map(|pool| (pool.stats(), pool));
        let is_unused = |(stats, _): &(Stats, _)| stats.zygotes > 0 && !stats.unused_for.is_zero();
        let mut unused: Vec<_> = pools.filter(is_unused).collect();
        let zygotes: usize = unused.iter().map(|(stats, _)| stats.zygotes).sum();
        unused.sort_by_key(|(stats, _)| Reverse(stats.unused_for));
        for (_, pool) in unused.iter().take(zygotes.saturating_sub(self.zygotes_max)) {
            pool.make_room();
        }
    }

    /// Retires the pools of functions that aren't served any more.
    pub(crate) fn retain(&self) {
        self.pools.retired().into_iter().for_each(Pool::retire);
    }

    /// Retires all pools: no more requests will come.
    pub fn retire(&self) {
        self.pools.all().into_iter().for_each(Pool::retire);
    }

    /// Whether there is no idle process and no zygote.
    pub fn is_empty(&self) -> bool {
        self.idle.taken() == 0 && self.pools.all().iter().all(|pool| pool.stats().zygotes == 0)
    }

    /// Kills every process at once; the tasks that wait for them continue as after any other end.
    pub async fn kill_all(&self) {
        self.starter.children.kill_all().await;
    }
}
