//! A host inside the author's own program: [`HhrfServer`].
//!
//! It is the host `hhrf` as a library: the same routes, limits, deadlines, errors, metrics and log. Its functions are values
//! of this program ([`FezzFunction`]), run as tasks of its runtime. Functions of a folder are served beside them, each
//! request by a jailed process ([`HhrfServer::serve_folder`]).
//!
//! **Functions in the process are trusted code.** No jail confines them, and they have all rights of the program:
//!
//! - A panic is answered 500, and the server lives on. With `panic = "abort"` it ends the program, as a segfault or
//!   `std::process::exit` does.
//! - A future is dropped at its deadline and when its client disconnects; the client of a deadline gets 504.
//! - Code that computes or blocks can't be ended. The client gets 504 nevertheless, and the call keeps its permit. The metric
//!   `fezz_overdue_calls` counts such calls, and at the setting `overdue` the function's further requests get 503. This needs
//!   a runtime with several threads.
//! - `limits.memory_bytes` and the other limits of processes have no effect.
//!
//! The server changes nothing of its process: it installs no subscriber for `tracing`, whose events are its log, and only
//! [`HhrfServer::run`] handles signals.
//!
//! `config` makes the host's settings. `registry` has the functions, each in a `slot` that counts its calls; a `hook` has a
//! thread of its own; `source` gives them to the host. A call comes in by `native`, which makes the request, and the host's response of the function's.
//! [`Listening`] is a server that is bound.

mod config;
mod error;
pub(crate) mod hook;
mod listening;
mod manifest;
mod native;
mod registry;
pub(crate) mod slot;
mod source;

pub use config::{HhrfConfig, Setting};
pub use error::ServerError;
pub use listening::Listening;

use crate::function::{FezzFunction, OwnedFunctionManifest};
use registry::{Before, Registry};
use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A server of functions in this program's own process, which are trusted code. Its clones are the same server.
///
/// ```no_run
/// use fezz::prelude::*;
///
/// #[fezz_function(id = "hello-world", path = "/hello")]
/// fn hello(_: FezzRequest) -> &'static str {
///     "Hello, world!\n"
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let server = HhrfServer::with_defaults();
/// server.register_function("hello-world", Box::new(HelloFunction::new())).await?;
/// server.run().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HhrfServer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: HhrfConfig,
    registry: Arc<Registry>,
    folder: Mutex<Option<PathBuf>>,
}

impl HhrfServer {
    /// A server on `127.0.0.1:8080`, with the host's defaults.
    pub fn with_defaults() -> Self {
        Self::new(HhrfConfig::new())
    }

    /// A server with these settings. They are checked when it begins to listen.
    pub fn new(config: HhrfConfig) -> Self {
        Self { shared: Arc::new(Shared { config, registry: Arc::default(), folder: Mutex::default() }) }
    }

    /// Serves a function under the id `name`, after its `on_load`. The routes, the version and the timeout are those of its
    /// attribute. A function without one answers any method on `/<name>` and all paths below, has the version `v1` and 30
    /// seconds. `/rpc/<name>` leads to each function. While the server runs, the function is served when this returns. Once
    /// begun, it goes on if the future is dropped.
    ///
    /// # Errors
    ///
    /// The name is taken or no id, `on_load` fails or panics, another function has one of its routes, or the server has
    /// ended.
    pub async fn register_function(
        &self,
        name: &str,
        function: Box<dyn FezzFunction>,
    ) -> Result<(), ServerError> {
        let manifest = manifest::of_function(name, &*function, &self.shared.config)?;
        self.shared.registry.register(manifest, function, Before::Nothing).await
    }

    /// The same with the id, version, route and timeout of a manifest.
    ///
    /// # Errors
    ///
    /// The same, or a value of the manifest is invalid.
    pub async fn register_with_manifest(
        &self,
        manifest: OwnedFunctionManifest,
        function: Box<dyn FezzFunction>,
    ) -> Result<(), ServerError> {
        let manifest = manifest::of_manifest(&manifest, &self.shared.config)?;
        self.shared.registry.register(manifest, function, Before::Nothing).await
    }

    /// Serves a function instead of the one that has the id `name`, whose routes, version and timeout needn't be the same. Its
    /// `on_load` comes first. Then each request goes to the one or the other, and none fails; when the last one of the old
    /// function has ended, its `on_unload` is called. Once begun, it goes on if the future is dropped. Where a call of the old
    /// function itself waits for this, it returns before `on_unload`, whose error is logged.
    ///
    /// # Errors
    ///
    /// There is no function of that name, `on_load` fails or panics, or another function has one of the new routes: then the
    /// old function is served as before. (With another version and a route of another function, its requests get 404 for
    /// the moment until then.) Or the old one's `on_unload` fails, as [`unregister_function`](Self::unregister_function)
    /// says: then the new one is served.
    pub async fn replace_function(
        &self,
        name: &str,
        function: Box<dyn FezzFunction>,
    ) -> Result<(), ServerError> {
        let manifest = manifest::of_function(name, &*function, &self.shared.config)?;
        self.shared.registry.register(manifest, function, Before::Another).await
    }

    /// The same with the id, version, route and timeout of a manifest.
    ///
    /// # Errors
    ///
    /// The same, or a value of the manifest is invalid.
    pub async fn replace_with_manifest(
        &self,
        manifest: OwnedFunctionManifest,
        function: Box<dyn FezzFunction>,
    ) -> Result<(), ServerError> {
        let manifest = manifest::of_manifest(&manifest, &self.shared.config)?;
        self.shared.registry.register(manifest, function, Before::Another).await
    }

    /// Ends a function: it gets no more requests; when those that had begun have ended, its `on_unload` is called. Once begun,
    /// it goes on if the future is dropped. Where a call of the function itself waits for this, it returns before `on_unload`,
    /// whose error is logged.
    ///
    /// # Errors
    ///
    /// There is no such function; calls of it go on long after their deadline, and so `on_unload` isn't called; or
    /// `on_unload` fails, panics or takes over ten seconds. It is not served any more in any case.
    pub async fn unregister_function(&self, name: &str) -> Result<(), ServerError> {
        self.shared.registry.unregister(name).await
    }

    /// Serves the functions of a folder, too: `<id>@<version>/` for each release, as `hhrf` serves those under
    /// `functions/`, in jailed processes. They see the variables of their manifests only. It needs a runner: `fezz-runner`
    /// beside this program or on PATH, or the setting `runner`. Has an effect before the server begins to listen.
    pub fn serve_folder(&self, folder: impl Into<PathBuf>) {
        // Nothing that is done under the lock can panic halfway.
        *self.shared.folder.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.into());
    }

    /// Begins to listen. Blocks the thread while the jail of a folder's functions is tried.
    ///
    /// # Errors
    ///
    /// The settings are wrong, the address is taken, the jail doesn't hold, or a registered function can't be served.
    pub async fn bind(&self) -> Result<Listening, ServerError> {
        let folder = self.shared.folder.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Listening::begin(&self.shared.config, folder, Arc::clone(&self.shared.registry)).await
    }

    /// Serves until SIGINT or SIGTERM, then drains as `hhrf` does, and calls `on_unload` of all functions at the same time. A
    /// second signal, a second later or more, cuts off requests in flight, and the wait for hooks.
    ///
    /// # Errors
    ///
    /// See [`bind`](Self::bind), and [`ServerError::Forced`].
    pub async fn run(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.bind().await?.run().await
    }

    /// The same until `shutdown` resolves; signals are left to the program.
    ///
    /// # Errors
    ///
    /// See [`bind`](Self::bind).
    pub async fn run_until(
        &self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.bind().await?.run_until(shutdown).await;
        Ok(())
    }
}
