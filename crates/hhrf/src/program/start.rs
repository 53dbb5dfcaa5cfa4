//! `hhrf` without a command: serves until it is told to stop.

use super::{descriptors, rights};
use hhrf::children::{AdoptError, Children};
use hhrf::jail::{Jail, JailError};
use hhrf::release::{ModuleStore, StoreError};
use hhrf::server::{BuildError, HhrfServer, Stopped};
use hhrf::settings::{Layer, Settings, SettingsError};
use hhrf::signals::{Stop, reload_on};
use hhrf::source;
use hhrf::{log, variables};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Children(#[from] AdoptError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Jail(#[from] JailError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("failed to start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("failed to receive signals")]
    Signals(#[source] std::io::Error),
}

/// Serves, and returns how it ended.
pub(crate) fn start(flags: Layer) -> Result<Stopped, StartError> {
    let settings = Settings::new(flags)?;
    let _log = log::start(settings.log_format);
    for unknown in variables::unknown() {
        tracing::warn!("{unknown}");
    }
    let children = Children::adopt()?;
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    let children = Arc::new(children);
    let mut stop = runtime.block_on(async { Stop::listen() }).map_err(StartError::Signals)?;
    let Some(jail) = runtime.block_on(try_jail(settings.clone(), Arc::clone(&children), &mut stop))? else {
        // Nothing has begun.
        runtime.shutdown_background();
        return Ok(Stopped::Drained);
    };
    let store = ModuleStore::open(&settings.modules)?;
    rights::warn(&settings, settings.runner()?);
    descriptors::raise(&settings);
    // Processes are started by the runtime's workers, which end with it: so do the processes (prctl(2),
    // PR_SET_PDEATHSIG).
    let stopped = runtime.block_on(serve(settings, Arc::clone(&store), children, jail, stop));
    runtime.shutdown_background();
    store.remove();
    stopped
}

/// The jail, once the trial has succeeded; `None` if a signal stops the host before. That ends a wrapper that hangs,
/// too.
async fn try_jail(
    settings: Settings,
    children: Arc<Children>,
    stop: &mut Stop,
) -> Result<Option<Jail>, StartError> {
    let trying = Arc::clone(&children);
    let mut trial = tokio::task::spawn_blocking(move || Jail::prove(&settings, &trying));
    tokio::select! {
        tried = &mut trial => Ok(Some(tried.expect("the trial doesn't panic")?)),
        () = stop.asked() => {
            children.kill_all().await;
            // The trial reaps what was killed, and ends what it starts meanwhile.
            trial.await.ok();
            Ok(None)
        }
    }
}

async fn serve(
    settings: Settings,
    store: Arc<ModuleStore>,
    children: Arc<Children>,
    jail: Jail,
    mut stop: Stop,
) -> Result<Stopped, StartError> {
    let source = source::of(&settings, store);
    let builder = HhrfServer::builder(settings).source(source).children(children).jail(jail);
    let server = builder.build().await?;
    let settings = &server.host().settings;
    // Registered before the log line below: from then on a SIGHUP doesn't end the host.
    let hangup = signal(SignalKind::hangup()).map_err(StartError::Signals)?;
    tracing::info!(
        listen = %server.address(),
        admin = server.admin_address().map(|address| address.to_string()),
        root = %settings.root.display(),
        runner = settings.runner.as_deref().map(|runner| runner.display().to_string()),
        jail = settings.jail.as_str(),
        "listening on http://{}",
        server.address()
    );
    reload_on(hangup, Arc::clone(server.host()));
    // Both streams receive the first signal.
    let mut again = Stop::listen().map_err(StartError::Signals)?;
    Ok(server.run_until(stop.asked(), again.asked_again()).await)
}
