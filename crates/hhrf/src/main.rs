//! The host as a program: settings, signals, exit code. All else is in the library.
#![forbid(unsafe_code)]

use clap::Parser;
use hhrf::catalogue::Catalogue;
use hhrf::children::{AdoptError, Children};
use hhrf::host::Host;
use hhrf::settings::{Layer, Settings, SettingsError};
use hhrf::{Ended, Listeners, log, reload, run};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Catalogue(#[from] hhrf::catalogue::CatalogueError),
    #[error(transparent)]
    Children(#[from] AdoptError),
    #[error("failed to start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("failed to receive signals")]
    Signals(#[source] std::io::Error),
    #[error("failed to listen on {address}: choose another by --listen or --admin")]
    Listen { address: SocketAddr, source: std::io::Error },
}

fn main() -> ExitCode {
    match start(Layer::parse()) {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Forced) => ExitCode::FAILURE,
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
    let children = Children::adopt()?;
    let catalogue = Catalogue::load(&settings.root, &Catalogue::default())?;
    reload::report(&catalogue, &Catalogue::default());
    warn_of_rights(&settings);
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    // Processes are started by the runtime's workers, which end with it: so do the processes (prctl(2),
    // PR_SET_PDEATHSIG).
    let ended = runtime.block_on(serve(settings, catalogue, children));
    runtime.shutdown_background();
    ended
}

fn warn_of_rights(settings: &Settings) {
    if settings.runner_is_named {
        tracing::warn!(
            runner = %settings.runner.display(),
            "modules run confined only as far as this runner is a wrapper that does it; \
             `network` and `limits.threads` of manifests are not in force"
        );
    } else {
        tracing::warn!(
            "modules run unconfined: a process of its own for each request, but with all rights of this user; \
             `network` and `limits.threads` of manifests are not in force; let FEZZ_RUNNER name a jailing wrapper \
             for code that you don't trust"
        );
    }
}

async fn serve(settings: Settings, catalogue: Catalogue, children: Children) -> Result<Ended, StartError> {
    let main = bind(settings.listen).await?;
    let admin = match settings.admin {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Signals)?;
    let listen = main.local_addr().unwrap_or(settings.listen);
    let admin_listen = admin.as_ref().and_then(|admin| admin.local_addr().ok());
    tracing::info!(
        listen = %listen,
        admin = admin_listen.map(|address| address.to_string()),
        root = %settings.root.display(),
        runner = %settings.runner.display(),
        "listening on http://{listen}"
    );
    let host = Arc::new(Host::new(settings, catalogue, children));
    let (mut again_terminate, mut again_interrupt) = (
        signal(SignalKind::terminate()).map_err(StartError::Signals)?,
        signal(SignalKind::interrupt()).map_err(StartError::Signals)?,
    );
    let shutdown = async { either(&mut terminate, &mut interrupt).await };
    let now = async {
        // The first signal is seen here too.
        either(&mut again_terminate, &mut again_interrupt).await;
        either(&mut again_terminate, &mut again_interrupt).await;
    };
    Ok(run(host, Listeners { main, admin }, shutdown, now).await)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
