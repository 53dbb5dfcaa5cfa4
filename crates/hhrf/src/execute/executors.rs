//! All executors of a host, and the pool of each function that was called lately.

use super::demand::IdlePermits;
use super::fork::Fork;
use super::in_process::InProcess;
use super::native::NativeExecutor;
use super::pool::{Call, Executor, Pool, Stats};
use super::pools::Pools;
use super::spawn::Spawn;
use super::start::Starter;
use crate::admitted::AdmittedRequest;
use crate::catalogue::{Execution, Function};
use crate::metrics::{InProcessMetrics, WearCounters};
use crate::release::{Code, Release};
use crate::settings::{InProcessFunctions, Settings};
use std::cmp::Reverse;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// All executors of a host.
#[derive(Debug)]
pub struct Executors {
    /// `None` if this host starts no processes.
    starter: Option<Arc<Starter>>,
    idle: IdlePermits,
    default: Execution,
    in_process: InProcessFunctions,
    zygotes_max: usize,
    /// Those that a manifest can name.
    executors: Vec<(Execution, Arc<dyn Executor>)>,
    native: NativeExecutor,
    pools: Pools,
}

/// Why a release is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExecutable {
    /// The operator hasn't allowed it.
    #[error(
        "its `execution` is `in-process`, which would run it with all rights of the host and without a jail: start the host with \
         `--allow-in-process={id}`, if you trust its code as much as the host, or choose another `execution`"
    )]
    NotAllowed {
        /// The function's.
        id: String,
    },
    /// The program that embeds the host has left it out.
    #[error("its `execution` is `{}`, which this host leaves out: it starts no processes", execution.as_str())]
    NoExecutor {
        /// What its manifest or the settings name.
        execution: Execution,
    },
}

impl Executors {
    /// Makes the builtin executors, which start runners by `starter`, if there is one, and count worn-out zygotes in
    /// `counters`.
    pub(crate) fn new(
        settings: &Settings,
        starter: Option<Starter>,
        counters: WearCounters,
        modules: InProcessMetrics,
    ) -> Self {
        let (starter, idle) = (starter.map(Arc::new), IdlePermits::new(settings.limits.spare_total));
        let of_processes = starter.as_ref().map(|starter| of_processes(settings, starter, &idle, counters));
        let in_process: Arc<dyn Executor> = Arc::new(InProcess::new(&settings.limits, modules));
        let mut executors = of_processes.unwrap_or_default();
        executors.push((Execution::InProcess, in_process));
        Self {
            default: settings.execution,
            in_process: settings.allow_in_process.clone(),
            zygotes_max: settings.limits.zygotes as usize,
            executors,
            native: NativeExecutor::new(settings.limits.overdue),
            pools: Pools::default(),
            starter,
            idle,
        }
    }

    /// Whether this host can execute a release.
    ///
    /// # Errors
    ///
    /// See [`NotExecutable`].
    pub(crate) fn check(&self, release: &Release) -> Result<(), NotExecutable> {
        if let Code::Native(_) = release.code {
            return Ok(());
        }
        let execution = release.execution_or(self.default);
        if execution == Execution::InProcess && !self.in_process.allow(&release.id) {
            return Err(NotExecutable::NotAllowed { id: release.id.clone() });
        }
        self.executor(execution).map(drop).ok_or(NotExecutable::NoExecutor { execution })
    }

    fn executor(&self, execution: Execution) -> Option<&Arc<dyn Executor>> {
        self.executors.iter().find(|(listed, _)| *listed == execution).map(|(_, executor)| executor)
    }

    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        match function.release.code {
            Code::Native(_) => self.native.pool(function),
            Code::Module { .. } | Code::Program { .. } => {
                let executor = self.executor(function.release.execution_or(self.default));
                executor.expect("a release without an executor isn't served").pool(function)
            }
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
        let pool = self.pools.of(&request.function, || self.pool(&request.function));
        pool.call(request)
    }

    /// What a function's pool has; nothing where there is none.
    pub fn stats(&self, function: &Arc<Function>) -> Stats {
        self.pools.get(function).map(|pool| pool.stats()).unwrap_or_default()
    }

    /// Ends orphans periodically, for ever.
    pub async fn keep_ending_orphans(&self) -> Infallible {
        let Some(starter) = &self.starter else { return std::future::pending().await };
        starter.children.keep_ending_orphans(|processes| starter.log_orphans(processes, None, None)).await
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

    /// Whether there is no idle process, no zygote and no loaded module.
    pub fn is_empty(&self) -> bool {
        self.idle.taken() == 0
            && self.pools.all().iter().all(|pool| {
                let stats = pool.stats();
                stats.zygotes == 0 && stats.modules == 0
            })
    }

    /// Kills every process at once; the tasks that wait for them continue as after any other end.
    pub async fn kill_all(&self) {
        if let Some(starter) = &self.starter {
            starter.children.kill_all().await;
        }
    }
}

/// The executors that give each request a process of its own.
fn of_processes(
    settings: &Settings,
    starter: &Arc<Starter>,
    idle: &IdlePermits,
    counters: WearCounters,
) -> Vec<(Execution, Arc<dyn Executor>)> {
    let limits = &settings.limits;
    let spawn = Spawn::new(Arc::clone(starter), idle.clone(), limits.spare);
    let fork =
        Fork::new(Arc::clone(starter), idle.clone(), counters, limits.spare, limits.zygotes_per_function);
    vec![(Execution::Spawn, Arc::new(spawn)), (Execution::Fork, Arc::new(fork))]
}
