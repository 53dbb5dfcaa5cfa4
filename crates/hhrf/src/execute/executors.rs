//! All executors of a host, and the pool of each function that was called lately.

use super::demand::{IdlePermits, Spares};
use super::failure::Failure;
use super::fork::Fork;
use super::in_process::InProcess;
use super::load::LoadFailure;
use super::native::NativeExecutor;
use super::per_core::PerCore;
use super::pool::{Call, Executor, Pool, Readiness, Stats};
use super::pools::Pools;
use super::rewind::Rewind;
use super::spawn::Spawn;
use super::start::Starter;
use super::worker::Workers;
use crate::admitted::AdmittedRequest;
use crate::catalogue::{Execution, Function};
use crate::cores::{self, Cores};
use crate::metrics::Metrics;
use crate::release::{Code, Release};
use crate::settings::{InProcessFunctions, Settings};
use std::cmp::Reverse;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

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
    /// Where executors run that have no pool for each processor, while others do.
    shared: Option<Handle>,
}

/// Why a release is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExecutable {
    /// The operator hasn't allowed it.
    #[error(
        "its `execution` is `in-process`, which would run it with all rights of the host and without a jail: add `{id}` to \
         the setting `allow_in_process` (--allow-in-process={id}), if you trust its code as much as the host, or choose another \
         `execution`"
    )]
    NotAllowed {
        /// The function's.
        id: String,
    },
    /// It shares a variable with all modules in the host's process.
    #[error(
        "its `execution` is `in-process`, and its module has the symbol `{symbol}` of the binding STB_GNU_UNIQUE: all modules in \
         the process would share this variable, also those with another layout of it; build all of it with `-fno-gnu-unique`, or \
         choose another `execution`"
    )]
    UniqueSymbol {
        /// One of them.
        symbol: String,
    },
    /// The program that embeds the host has left it out.
    #[error("its `execution` is `{}`, which this host leaves out: it starts no processes", execution.as_str())]
    NoExecutor {
        /// What its manifest or the settings name.
        execution: Execution,
    },
}

/// Why a release doesn't replace the one that is served.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// They can't be started.
    #[error("its workers fail to start, and are tried again: {}", crate::log::chain(.0))]
    Failed(LoadFailure),
    /// They need longer than a reload waits.
    #[error("its workers weren't ready within {} s; it takes over when they are", waited.as_secs())]
    Starting {
        /// How long the host has waited.
        waited: Duration,
    },
}

impl Executors {
    /// Makes the builtin executors, which start runners by `starter`, if there is one, and count in `metrics`; `fork` and
    /// `rewind` for each of `cores`, if there are any. Then it must be called within a runtime, which the others use.
    pub(crate) fn new(
        settings: &Settings,
        starter: Option<Starter>,
        cores: Option<&Arc<Cores>>,
        metrics: &Metrics,
    ) -> Self {
        let (starter, idle) = (starter.map(Arc::new), IdlePermits::new(settings.limits.spare_total));
        let of_processes =
            starter.as_ref().map(|starter| of_processes(settings, starter, cores, &idle, metrics));
        let in_process: Arc<dyn Executor> =
            Arc::new(InProcess::new(&settings.limits, metrics.in_process.clone()));
        let mut executors = of_processes.unwrap_or_default();
        executors.push((Execution::InProcess, in_process));
        Self {
            default: settings.execution,
            in_process: settings.allow_in_process.clone(),
            zygotes_max: settings.limits.zygotes as usize,
            executors,
            native: NativeExecutor::new(settings.limits.overdue),
            pools: Pools::default(),
            shared: cores.map(|_| Handle::current()),
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
        let Code::Module { unique_symbol, .. } = &release.code else { return Ok(()) };
        let execution = release.execution_or(self.default);
        if execution == Execution::InProcess {
            if !self.in_process.allow(&release.id) {
                return Err(NotExecutable::NotAllowed { id: release.id.clone() });
            }
            if let Some(symbol) = unique_symbol {
                return Err(NotExecutable::UniqueSymbol { symbol: symbol.clone() });
            }
        }
        self.executor(execution).map(drop).ok_or(NotExecutable::NoExecutor { execution })
    }

    /// Whether a release's module is loaded into the host's own process.
    pub(crate) fn is_in_process(&self, release: &Release) -> bool {
        let execution = release.execution_or(self.default);
        matches!(release.code, Code::Module { .. }) && execution == Execution::InProcess
    }

    fn executor(&self, execution: Execution) -> Option<&Arc<dyn Executor>> {
        self.executors.iter().find(|(listed, _)| *listed == execution).map(|(_, executor)| executor)
    }

    fn pool(&self, function: &Arc<Function>) -> Arc<dyn Pool> {
        let _entered = self.shared.as_ref().map(Handle::enter);
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
        let function = &request.facts.function;
        let shared = self.shared.clone().filter(|_| !self.is_per_core(function));
        let call = self.pools.of(function, || self.pool(function)).call(request);
        match shared {
            // What it starts mustn't be bound to the processor of this connection.
            Some(shared) => {
                Box::pin(async move { cores::run_on(&shared, call).await.unwrap_or(Err(Failure::Host)) })
            }
            None => call,
        }
    }

    /// Whether a function may have a pool for each processor.
    fn is_per_core(&self, function: &Function) -> bool {
        let is_code = !matches!(function.release.code, Code::Native(_));
        let execution = function.release.execution_or(self.default);
        is_code && matches!(execution, Execution::Fork | Execution::Rewind)
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

    /// Has a function keep as many workers as its manifest says, also without requests: from now on it is served.
    pub(crate) fn serve(&self, function: &Arc<Function>) {
        let is_needed = || function.release.worker.min > 0 || self.pools.get(function).is_some();
        if self.has_workers(function) && is_needed() {
            self.keep(function, 0);
        }
    }

    /// Has a function that is about to replace `predecessor` start its workers: those that it keeps, and as many as the
    /// predecessor has. Returns whether they are ready; `None` if there is nothing to start.
    pub(crate) fn prepare(
        &self,
        function: &Arc<Function>,
        predecessor: &Arc<Function>,
    ) -> Option<watch::Receiver<Readiness>> {
        let before = self.stats(predecessor).workers;
        let workers = before.starting + before.idle + before.busy;
        let is_needed = self.has_workers(function) && (workers > 0 || function.release.worker.min > 0);
        is_needed.then(|| self.keep(function, workers))
    }

    /// Whether the processes are ready that [`Self::prepare`] has started.
    pub(crate) fn readiness(&self, function: &Arc<Function>) -> Option<watch::Receiver<Readiness>> {
        self.pools.get(function).map(|pool| pool.readiness())
    }

    /// Whether a function is executed by workers.
    pub(crate) fn has_workers(&self, function: &Function) -> bool {
        let is_code = !matches!(function.release.code, Code::Native(_));
        is_code && function.release.execution_or(self.default) == Execution::Worker
    }

    fn keep(&self, function: &Arc<Function>, processes: usize) -> watch::Receiver<Readiness> {
        let pool = self.pools.of(function, || self.pool(function));
        Arc::clone(&pool).keep(processes);
        pool.readiness()
    }

    /// Retires the pools of functions that aren't served any more.
    pub(crate) fn retain(&self) {
        self.pools.retired().into_iter().for_each(Pool::retire);
    }

    /// Retires all pools: no more requests will come.
    pub fn retire(&self) {
        self.pools.all().into_iter().for_each(Pool::retire);
    }

    /// Whether there is no idle process, no zygote and no worker.
    pub fn is_empty(&self) -> bool {
        self.idle.taken() == 0
            && self.pools.all().iter().all(|pool| {
                let stats = pool.stats();
                stats.zygotes == 0 && stats.workers.total() == 0
            })
    }

    /// How many modules are loaded into this process, or are being loaded or unloaded.
    pub fn modules(&self) -> usize {
        self.pools.all().iter().map(|pool| pool.stats().modules).sum()
    }

    /// Kills every process at once; the tasks that wait for them continue as after any other end.
    pub async fn kill_all(&self) {
        if let Some(starter) = &self.starter {
            starter.children.kill_all().await;
        }
    }
}

/// The executors whose processes a runner confines.
fn of_processes(
    settings: &Settings,
    starter: &Arc<Starter>,
    cores: Option<&Arc<Cores>>,
    idle: &IdlePermits,
    metrics: &Metrics,
) -> Vec<(Execution, Arc<dyn Executor>)> {
    let limits = &settings.limits;
    let pools = cores.map_or(1, |cores| cores.count());
    let zygotes_max = limits.zygotes_per_function.div_ceil(pools);
    let spawn = Spawn::new(Arc::clone(starter), idle.clone(), limits.spare);
    let fork = Fork::new(
        Arc::clone(starter),
        idle.clone(),
        metrics.wear.clone(),
        Spares { default: limits.spare, pools },
        zygotes_max,
    );
    let rewind = Rewind::new(
        Arc::clone(starter),
        idle.clone(),
        metrics.wear.clone(),
        metrics.rewinds.clone(),
        Spares { default: limits.spare, pools },
        zygotes_max,
        limits.rewind_checks_percent,
    );
    let workers = Workers::new(Arc::clone(starter), metrics.workers.clone());
    vec![
        (Execution::Spawn, Arc::new(spawn)),
        (Execution::Fork, per_core(fork, cores)),
        (Execution::Rewind, per_core(rewind, cores)),
        (Execution::Worker, Arc::new(workers)),
    ]
}

/// An executor with a pool for each of `cores`, if there are any.
fn per_core(executor: impl Executor + 'static, cores: Option<&Arc<Cores>>) -> Arc<dyn Executor> {
    match cores {
        Some(cores) => Arc::new(PerCore::new(executor, Arc::clone(cores))),
        None => Arc::new(executor),
    }
}
