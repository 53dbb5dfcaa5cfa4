//! A host from start to end: it is built, serves, and drains.

use crate::catalogue::Execution;
use crate::children::Children;
use crate::execute::pool::Executor;
use crate::execute::start::Starter;
use crate::failure_recorder::FolderError;
use crate::host::Host;
use crate::jail::{Jail, JailError};
use crate::release::{ModuleStore, StoreError};
use crate::reload;
use crate::serve::serve;
use crate::settings::{Listener, Settings};
use crate::source::{self, Source, SourceError};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A host that listens, and serves once it is run.
///
/// It handles no signals, sets up no log and changes no other state of its process: the program does that. Several
/// hosts can run in one process.
#[derive(Debug)]
pub struct HhrfServer {
    host: Arc<Host>,
    main: TcpListener,
    admin: Option<TcpListener>,
    source: Box<dyn Source>,
}

/// What a host is made of.
#[derive(Debug)]
pub struct Builder {
    settings: Settings,
    source: Option<Box<dyn Source>>,
    has_processes: bool,
    children: Arc<Children>,
    jail: Option<Jail>,
    executors: Vec<(Execution, Arc<dyn Executor>)>,
    main: Option<TcpListener>,
    admin: Option<TcpListener>,
}

/// Why a host can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The source has no first snapshot.
    #[error(transparent)]
    Source(SourceError),
    /// Modules can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Modules can't be confined.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// Failed requests can't be recorded.
    #[error(transparent)]
    Recorder(#[from] FolderError),
    /// The threads of `--per-core` can't be started.
    #[error("failed to start a runtime for each processor (--per-core)")]
    Cores(#[source] io::Error),
    /// An address is taken, or isn't this machine's.
    #[error("failed to listen on {address}: choose another by --listen or --admin")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
}

/// How a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Requests in flight were finished, or met their deadline.
    Drained,
    /// It was told to stop at once, and requests in flight were cut off.
    Forced,
}

/// Time for the last processes to end and the last responses to be sent, after the longest deadline.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

impl HhrfServer {
    /// Begins with the settings. By default the host serves `functions/` below their root, listens on their addresses,
    /// and proves their jail.
    pub fn builder(settings: Settings) -> Builder {
        Builder {
            settings,
            source: None,
            has_processes: true,
            children: Arc::default(),
            jail: None,
            executors: Vec::new(),
            main: None,
            admin: None,
        }
    }

    /// What all requests share: metrics, and [`Host::ask_for_reload`].
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.main.local_addr().unwrap_or(self.host.settings.listen)
    }

    /// Where it listens for operators.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|admin| admin.local_addr().ok())
    }

    /// Serves until `shutdown` resolves, then drains: `/_ready` answers 503 at once; after `drain_wait` it accepts no
    /// connection; then requests in flight are finished or meet their deadline.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.run_until(shutdown, std::future::pending()).await;
    }

    /// The same; if `now` resolves while the host drains, requests in flight are cut off.
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()>,
        now: impl Future<Output = ()>,
    ) -> Stopped {
        let Self { host, main, admin, source } = self;
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        let admin = admin.map(|admin| (admin, Listener::Admin));
        for (socket, listener) in [(main, Listener::Main)].into_iter().chain(admin) {
            let mut stopped = stopped.clone();
            let stop =
                async move { stopped.wait_for(|stopped| *stopped).await.map(drop).unwrap_or_default() };
            servers.spawn(serve(Arc::clone(&host), socket, listener, stop));
        }
        let mut background = background(&host);
        let reloads = background.spawn(reload::follow(Arc::clone(&host), source));

        shutdown.await;
        let wait_ms = u64::try_from(host.settings.limits.drain_wait.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(wait_ms, "shutting down: not ready");
        host.leave();
        let drained = async {
            sleep(host.settings.limits.drain_wait).await;
            host.drain();
            reloads.abort();
            tracing::info!(
                in_flight = host.metrics.in_flight.get(),
                "shutting down: waiting for requests in flight"
            );
            stop.send_replace(true);
            let longest = host.catalogue.load().functions().map(|function| function.release.timeout).max();
            let patience = longest.unwrap_or_default() + host.settings.limits.body_timeout + SHUTDOWN_GRACE;
            if timeout(patience, finish(&host, &mut servers)).await.is_err() {
                tracing::warn!("shutting down: timed out, remaining requests are cut off");
                cut_off(&host, &mut servers).await;
            }
            wait_for_modules(&host).await;
        };
        let stopped = tokio::select! {
            () = drained => Stopped::Drained,
            () = now => Stopped::Forced,
        };
        if stopped == Stopped::Forced {
            stop.send_replace(true);
            cut_off(&host, &mut servers).await;
            wait_for_modules(&host).await;
        }
        background.shutdown().await;
        // Only what still works for a request holds a release from now on.
        host.catalogue.store(Arc::default());
        tracing::info!(in_flight = host.metrics.in_flight.get(), "stopped: {stopped:?}");
        stopped
    }
}

impl Builder {
    /// Serves what `source` yields.
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Listens there instead of binding the settings' address.
    pub fn listen(mut self, listener: TcpListener) -> Self {
        self.main = Some(listener);
        self
    }

    /// Listens there for operators instead of binding the settings' address.
    pub fn listen_for_operators(mut self, listener: TcpListener) -> Self {
        self.admin = Some(listener);
        self
    }

    /// Starts processes as `children`. By default only the jail ends orphans: processes that have left a function's
    /// process group. With [`Children::adopt`] the host ends them itself; use it only in a program that does nothing
    /// but run this host.
    pub fn children(mut self, children: Arc<Children>) -> Self {
        self.children = children;
        self
    }

    /// Uses a jail that was proven already.
    pub fn jail(mut self, jail: Jail) -> Self {
        self.jail = Some(jail);
        self
    }

    /// Starts no processes: the host needs no runner and proves no jail, and a release that needs a process isn't served.
    pub fn without_processes(mut self) -> Self {
        self.has_processes = false;
        self
    }

    /// Has the functions of an execution answered by `executor`, instead of the builtin one.
    pub fn executor(mut self, execution: Execution, executor: impl Executor + 'static) -> Self {
        self.executors.push((execution, Arc::new(executor)));
        self
    }

    /// Binds the addresses, proves the jail and reads the first snapshot. Blocks the calling thread while the jail is
    /// proven.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub async fn build(self) -> Result<HhrfServer, BuildError> {
        let Self { settings, source, has_processes, children, jail, executors, main, admin } = self;
        let starter = match has_processes {
            true => Some(starter(&settings, children, jail)?),
            false => None,
        };
        let mut source = match source {
            Some(source) => source,
            None => source::of(&settings, ModuleStore::open(&settings.modules)?),
        };
        let snapshot = source.snapshot().await.map_err(BuildError::Source)?;
        let mut host = Host::new(settings, starter)?;
        for (execution, executor) in executors {
            host.executors.replace(execution, executor);
        }
        reload::begin(&host, snapshot);
        let main = match main {
            Some(main) => main,
            None => bind(host.settings.listen).await?,
        };
        let admin = match (admin, host.settings.admin) {
            (None, Some(address)) => Some(bind(address).await?),
            (admin, _) => admin,
        };
        Ok(HhrfServer { host: Arc::new(host), main, admin, source })
    }
}

/// Proves the jail, unless that is done.
fn starter(settings: &Settings, children: Arc<Children>, jail: Option<Jail>) -> Result<Starter, JailError> {
    let runner = settings.runner()?.to_owned();
    let jail = jail.map_or_else(|| Jail::prove(settings, &children), Ok)?;
    Ok(Starter { runner, stderr_bytes_max: settings.limits.stderr_bytes, children, jail })
}

async fn bind(address: SocketAddr) -> Result<TcpListener, BuildError> {
    TcpListener::bind(address).await.map_err(|source| BuildError::Listen { address, source })
}

fn background(host: &Arc<Host>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (ending_orphans, ticking) = (Arc::clone(host), Arc::clone(host));
    tasks.spawn(async move { match ending_orphans.executors.keep_ending_orphans().await {} });
    tasks.spawn(async move { match ticking.executors.keep_ticking().await {} });
    let rate = host.settings.limits.data_rate;
    for memory in [&host.request_memory, &host.response_memory] {
        let memory = Arc::clone(memory);
        tasks.spawn(async move { match memory.keep_rate(rate).await {} });
    }
    tasks
}

/// Waits until every connection has ended, every process, and every failed request is recorded.
async fn finish(host: &Host, servers: &mut JoinSet<()>) {
    while servers.join_next().await.is_some() {}
    host.executors.retire();
    wait_until_idle(host).await;
}

/// Ends every connection, its requests with it, and kills every process.
async fn cut_off(host: &Host, servers: &mut JoinSet<()>) {
    // First, so that no request that waits gets the permit of one that is killed.
    host.cut_off();
    host.executors.kill_all().await;
    if timeout(SHUTDOWN_GRACE, finish(host, servers)).await.is_err() {
        tracing::error!(processes = host.processes.taken(), "failed to end all processes");
    }
}

/// How often it is looked whether all have ended.
const PAUSE: Duration = Duration::from_millis(5);

async fn wait_until_idle(host: &Host) {
    let is_recording = || host.failure_recorder.as_ref().is_some_and(|recorder| !recorder.is_idle());
    while host.processes.taken() > 0 || !host.executors.is_empty() || is_recording() {
        sleep(PAUSE).await;
    }
}

/// Waits until every module in this process is unloaded, but not for ever: nothing can end a hook that hangs.
async fn wait_for_modules(host: &Host) {
    let unloaded = async {
        while host.executors.modules() > 0 {
            sleep(PAUSE).await;
        }
    };
    if timeout(SHUTDOWN_GRACE, unloaded).await.is_err() {
        let modules = host.executors.modules();
        tracing::warn!(
            modules,
            "modules are still being loaded or unloaded, or called: not waiting any longer"
        );
    }
}
