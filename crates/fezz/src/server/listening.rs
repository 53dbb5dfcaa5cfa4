//! A server that is bound to its address.

use super::config::HhrfConfig;
use super::error::ServerError;
use super::registry::{END_MAX, FORCED_END_MAX, Live, Registry};
use super::source::Registered;
use hhrf::release::ModuleStore;
use hhrf::server::Stopped;
use hhrf::settings::Settings;
use hhrf::signals::Stop;
use hhrf::source::{Both, Folder, Secrets, Source};
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::watch;

/// A server that listens: connections wait until it runs.
#[derive(Debug)]
pub struct Listening {
    server: hhrf::HhrfServer,
    registry: Arc<Registry>,
    /// Says that functions are served from now on.
    serving: Arc<watch::Sender<Option<u64>>>,
    /// Of a folder's modules.
    store: Option<Arc<ModuleStore>>,
}

impl Listening {
    pub(super) async fn begin(
        config: &HhrfConfig,
        folder: Option<PathBuf>,
        registry: Arc<Registry>,
    ) -> Result<Self, ServerError> {
        if registry.was_started() {
            return Err(ServerError::Started);
        }
        let settings = config.settings()?;
        let store = folder.is_some().then(|| ModuleStore::open(&settings.modules)).transpose()?;
        let folder = folder.zip(store.clone());
        let secrets = Secrets::new(settings.secrets.clone());
        let folder = folder.map(|(path, store)| Folder::watched_itself(path, store).with_secrets(secrets));
        let (serving, served) = watch::channel(None);
        let serving = Arc::new(serving);
        let registered = Registered::new(Arc::clone(&registry), Arc::clone(&serving));
        let has_folder = folder.is_some();
        let source: Box<dyn Source> = match folder {
            Some(folder) => Box::new(Both::new(registered, folder)),
            None => Box::new(registered),
        };
        let builder = hhrf::HhrfServer::builder(settings).source(source);
        let builder = if has_folder { builder } else { builder.without_processes() };
        let server = builder.build().await?;
        registry.go_live(Live { host: Arc::clone(server.host()), served })?;
        Ok(Self { server, registry, serving, store })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where it listens for operators, if the setting `admin` says so.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.server.admin_address()
    }

    /// The host's settings, with all that has a default.
    pub fn settings(&self) -> &Settings {
        &self.server.host().settings
    }

    /// Serves until SIGINT or SIGTERM. See [`HhrfServer::run`](super::HhrfServer::run).
    ///
    /// # Errors
    ///
    /// Signals can't be received, or [`ServerError::Forced`].
    pub async fn run(self) -> Result<(), Box<dyn Error + Send + Sync>> {
        // Both streams receive the first signal.
        let mut stop = Stop::listen().map_err(ServerError::Signals)?;
        let mut again = Stop::listen().map_err(ServerError::Signals)?;
        match self.serve(stop.asked(), again.asked_again()).await {
            Stopped::Drained => Ok(()),
            Stopped::Forced => Err(ServerError::Forced.into()),
        }
    }

    /// Serves until `shutdown` resolves, then drains as `hhrf` does, and calls `on_unload` of all functions.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        self.serve(shutdown, std::future::pending()).await;
    }

    async fn serve(self, shutdown: impl Future<Output = ()>, now: impl Future<Output = ()>) -> Stopped {
        let Self { server, registry, serving, store } = self;
        // A generation before all: who registers a function now waits until it is served. The source says which is.
        serving.send_replace(Some(0));
        drop(serving);
        tracing::info!("listening on http://{}", server.address());
        let mut now = pin!(now);
        let stopped = match server.run_until(shutdown, now.as_mut()).await {
            Stopped::Drained => tokio::select! {
                () = registry.end(END_MAX) => Stopped::Drained,
                () = now => Stopped::Forced,
            },
            Stopped::Forced => {
                registry.end(FORCED_END_MAX).await;
                Stopped::Forced
            }
        };
        if let Some(store) = store {
            store.remove();
        }
        stopped
    }
}
