//! The host as a program: settings, signals, exit code. All else is in the library.
#![forbid(unsafe_code)]

use clap::Parser;
use hhrf::catalogue::{Catalogue, Execution};
use hhrf::check_jail::{CheckError, check_jail, secret, victim};
use hhrf::children::{AdoptError, Children};
use hhrf::command_line::{CheckJail, Command, CommandLine};
use hhrf::host::Host;
use hhrf::jail::{Jail, JailError, JailMode};
use hhrf::settings::{Layer, Settings, SettingsError, is_wrapper};
use hhrf::source::store::StoreError;
use hhrf::source::{Folder, ModuleStore, Source, SourceError};
use hhrf::{Ended, Listeners, log, reload, run, variables};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Of the program, not of the library: a program that embeds the host chooses its own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Source(SourceError),
    #[error(transparent)]
    Children(#[from] AdoptError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Jail(#[from] JailError),
    #[error("failed to start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("failed to receive signals")]
    Signals(#[source] std::io::Error),
    #[error("failed to check the jail")]
    Check(#[from] CheckError),
    #[error("failed to execute this program anew, with a secret in its environment")]
    Secret(#[source] std::io::Error),
    #[error("the check was interrupted")]
    Interrupted,
    #[error("failed to print the report")]
    Print(#[source] std::io::Error),
    #[error("failed to listen on {address}: choose another by --listen or --admin")]
    Listen { address: SocketAddr, source: std::io::Error },
}

fn main() -> ExitCode {
    let CommandLine { settings, command } = CommandLine::parse();
    let done = match command {
        None => start(settings).map(|ended| ended == Ended::Drained),
        Some(Command::CheckJail(check)) => start_check(*check),
        Some(Command::CheckJailVictim) => {
            victim::live();
            Ok(true)
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Not by the log, which may not be there yet.
            eprintln!("hhrf: {}", log::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn start(flags: Layer) -> Result<Ended, StartError> {
    let settings = Settings::new(flags)?;
    let _log = log::start(settings.log_format);
    for unknown in variables::unknown() {
        tracing::warn!("{unknown}");
    }
    let children = Children::adopt()?;
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    let children = Arc::new(children);
    // Once for all: from the first such stream on, a signal that no stream is there for is lost.
    let mut stop = runtime.block_on(async { Stop::listen() })?;
    let Some(jail) = runtime.block_on(try_jail(settings.clone(), Arc::clone(&children), &mut stop))? else {
        // Nothing has begun.
        runtime.shutdown_background();
        return Ok(Ended::Drained);
    };
    let store = ModuleStore::open(&settings.modules)?;
    let mut source = Folder::watched(&settings.root, Arc::clone(&store));
    let snapshot = runtime.block_on(source.snapshot()).map_err(StartError::Source)?;
    let catalogue = Catalogue::build(snapshot, &Catalogue::default());
    reload::report(&catalogue, &Catalogue::default());
    warn_of_rights(&settings);
    raise_descriptors(&settings);
    // Processes are started by the runtime's workers, which end with it: so do the processes (prctl(2),
    // PR_SET_PDEATHSIG).
    let ended = runtime.block_on(serve(settings, source, catalogue, children, jail, stop));
    runtime.shutdown_background();
    store.remove();
    ended
}

/// The jail, once the runner has shown that it can make it; `None` if a signal stops the host before. A wrapper that
/// hangs ends with it.
async fn try_jail(
    settings: Settings,
    children: Arc<Children>,
    stop: &mut Stop,
) -> Result<Option<Jail>, StartError> {
    let trying = Arc::clone(&children);
    let mut trial = tokio::task::spawn_blocking(move || prove_jail(&settings, &trying));
    tokio::select! {
        tried = &mut trial => tried.expect("the trial doesn't panic").map(Some),
        () = stop.asked() => {
            children.kill_all().await;
            // It reaps what was killed, and ends whatever it starts meanwhile.
            trial.await.ok();
            Ok(None)
        }
    }
}

/// Without `fork` the host serves what is spawned, unless all functions are to be forked.
fn prove_jail(settings: &Settings, children: &Children) -> Result<Jail, StartError> {
    let jail = Jail::prepare(settings, children)?;
    jail.try_out(&settings.runner, Execution::Spawn, children)?;
    match jail.try_out(&settings.runner, Execution::Fork, children) {
        Err(error) if settings.execution == Execution::Fork => return Err(error.into()),
        Err(error) => tracing::warn!(
            reason = log::chain(&error),
            "functions whose `execution` is `fork` can't be served here, and answer 503: set it to `spawn`"
        ),
        Ok(()) => {}
    }
    Ok(jail)
}

/// Whether everything was held.
fn start_check(flags: CheckJail) -> Result<bool, StartError> {
    let Some(secret) = secret::of_environment() else {
        return Err(StartError::Secret(secret::execute_again()));
    };
    let (selection, format) = (flags.selection(), flags.format);
    for unknown in variables::unknown() {
        eprintln!("hhrf: {unknown}");
    }
    let settings = Settings::new(flags.settings)?;
    let log = log::collect();
    let children = Children::adopt()?;
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    let report = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
        tokio::select! {
            report = check_jail(settings, flags.module.as_deref(), &selection, &secret, &log, children) => Ok(report?),
            () = either(&mut terminate, &mut interrupt) => Err(StartError::Interrupted),
        }
    })?;
    let print = || std::io::Write::write_all(&mut std::io::stdout(), report.print(format).as_bytes());
    print().map_err(StartError::Print)?;
    Ok(report.all_held())
}

/// Takes all descriptors that the system allows, and says where the settings ask for more. The runner lowers the limit
/// again for functions.
fn raise_descriptors(settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const A_CONNECTION: u64 = 2;
    const A_PROCESS: u64 = 4; // and six while it is started
    const THE_HOST: u64 = 64;
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "failed to raise the limit of open files");
    }
    let connections = settings.limits.connections as u64 * A_CONNECTION;
    let wanted = connections + u64::from(settings.limits.processes) * A_PROCESS + THE_HOST;
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "connections and processes may ask for more open files than allowed: raise the limit (LimitNOFILE= in \
             systemd), or lower --connections or --processes"
        );
    }
}

fn warn_of_rights(settings: &Settings) {
    match settings.jail {
        JailMode::Strict => {}
        JailMode::Inner if !is_wrapper(&settings.runner) => tracing::warn!(
            runner = %settings.runner.display(),
            user = if rustix::process::geteuid().is_root() { "root" } else { "ordinary" },
            "no wrapper makes namespaces or a root for functions: capabilities, Landlock, seccomp and limits alone confine \
             them. They can't open files, reach the network or signal processes, but can see that those exist: names, sizes, \
             owners. `limits.scratch_bytes` can't be granted (503), `limits.threads` counts all threads of a uid, and \
             `network` is this machine's or container's. jail/README.md says what holds in a plain container; where \
             namespaces can be had, use --jail strict"
        ),
        JailMode::Inner => tracing::info!(
            runner = %settings.runner.display(),
            "modules are confined by this runner, if it is a wrapper that makes namespaces and a root, and inside it by \
             fezz-runner; `hhrf check-jail` tries whether they hold"
        ),
        JailMode::Off => tracing::warn!(
            user = if rustix::process::geteuid().is_root() { "root" } else { "ordinary" },
            "modules run unconfined, with all rights of this user: `network`, `limits.threads` and `limits.scratch_bytes` \
             of manifests are not in force; leave out `--jail off` for code that you don't trust"
        ),
    }
}

async fn serve(
    settings: Settings,
    source: Folder,
    catalogue: Catalogue,
    children: Arc<Children>,
    jail: Jail,
    mut stop: Stop,
) -> Result<Ended, StartError> {
    // Received from here on: one that comes before the host serves is answered by a reload, too.
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    let main = bind(settings.listen).await?;
    let admin = match settings.admin {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let listen = main.local_addr().unwrap_or(settings.listen);
    let admin_listen = admin.as_ref().and_then(|admin| admin.local_addr().ok());
    tracing::info!(
        listen = %listen,
        admin = admin_listen.map(|address| address.to_string()),
        root = %settings.root.display(),
        runner = %settings.runner.display(),
        jail = settings.jail.as_str(),
        "listening on http://{listen}"
    );
    let host = Arc::new(Host::new(settings, catalogue, children, jail));
    let (mut again_terminate, mut again_interrupt) = (
        signal(SignalKind::terminate()).map_err(StartError::Signals)?,
        signal(SignalKind::interrupt()).map_err(StartError::Signals)?,
    );
    let shutdown = async { stop.asked().await };
    let now = async {
        // The first signal is seen here too.
        either(&mut again_terminate, &mut again_interrupt).await;
        let first = Instant::now();
        while first.elapsed() < ONE_INTENTION {
            either(&mut again_terminate, &mut again_interrupt).await;
        }
    };
    let reloading = Arc::clone(&host);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reloading.ask_for_reload();
        }
    });
    Ok(run(host, Listeners { main, admin }, Box::new(source), shutdown, now).await)
}

/// Signals within this time of the first are the same wish to end. timeout(1) sends two in a row, one to its child and one
/// to the process group that both are in, and the second may arrive late on a busy machine. A person who wants to force the
/// end has seen by then that the first signal didn't.
const ONE_INTENTION: Duration = Duration::from_secs(1);

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

/// What an operator stops the host by.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> Result<Self, StartError> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(StartError::Signals)?,
            interrupt: signal(SignalKind::interrupt()).map_err(StartError::Signals)?,
        })
    }

    async fn asked(&mut self) {
        either(&mut self.terminate, &mut self.interrupt).await;
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
