//! The functions of a server, from `on_load` to `on_unload`.

use super::error::ServerError;
use super::native::Registered;
use super::slot::Slot;
use crate::function::FezzFunction;
use crate::variables::Variables;
use crate::{FezzError, FunctionContext, panic};
use fezz_manifest::Manifest;
use hhrf::host::Host;
use hhrf::release::Release;
use hhrf::source::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// How long after their deadline calls may take to end before a function is given up: time for what is dropped, and for
/// work that isn't stuck.
const GRACE: Duration = Duration::from_secs(5);

/// All functions of a server.
#[derive(Debug, Default)]
pub(super) struct Registry {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were registered.
    functions: Vec<Registration>,
    /// The ids of functions that are being loaded.
    loading: Vec<String>,
    /// Counts the changes of `functions`.
    generation: u64,
    /// Once the server has listened.
    live: Option<Live>,
}

#[derive(Debug, Clone)]
struct Registration {
    release: Arc<Release>,
    registered: Arc<Registered>,
}

/// The host that serves the functions.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) host: Arc<Host>,
    /// The generation that it serves; `None` until it runs.
    pub(super) served: watch::Receiver<Option<u64>>,
}

/// The name of a function that is being loaded, free again when this is dropped.
struct Reserved<'a> {
    registry: &'a Registry,
    id: String,
}

impl Registry {
    pub(super) async fn register(
        &self,
        manifest: Manifest,
        function: Box<dyn FezzFunction>,
    ) -> Result<(), ServerError> {
        let reserved = self.reserve(&manifest.id)?;
        let context = context_of(&manifest, Slot::empty());
        let function = load(&manifest.id, function, context.context("on_load")).await?;
        let registered = Arc::new(Registered { slot: Slot::new(function), ..context });
        let id = manifest.id.clone();
        let release = Release::native(manifest, Arc::clone(&registered) as _);
        let release = Arc::new(release.expect("the manifest's routes are checked when it is made"));
        let name = release.name();
        let live = self.change(|functions| {
            functions.push(Registration { release, registered: Arc::clone(&registered) })
        });
        drop(reserved);
        let Some(reason) = served(live).await.and_then(|host| host.rejection(&name)) else { return Ok(()) };
        served(self.change(|functions| functions.retain(|other| *other.registered.id != *id))).await;
        self.undo(&registered, ServerError::NotServed(reason)).await
    }

    pub(super) async fn unregister(&self, id: &str) -> Result<(), ServerError> {
        let mut found = None;
        let live = self.change(|functions| {
            let at = functions.iter().position(|other| *other.registered.id == *id);
            found = at.map(|at| functions.remove(at));
        });
        let Some(found) = found else { return Err(ServerError::NotRegistered { id: id.to_owned() }) };
        // From then on no call begins that would be refused.
        served(live).await;
        unload(&found.registered, found.release.timeout + GRACE).await
    }

    /// Unloads all functions, the last first, when the host has ended.
    pub(super) async fn unload_all(&self) {
        let functions = std::mem::take(&mut self.lock().functions);
        for function in functions.iter().rev() {
            // The host has waited for the others already.
            if let Err(error) = unload(&function.registered, GRACE).await {
                tracing::error!("{error}");
            }
        }
    }

    /// What a source serves, and its generation.
    pub(super) fn entries(&self) -> (u64, Vec<Entry>) {
        let state = self.lock();
        let entry = |function: &Registration| Entry {
            origin: format!("the registered function `{}`", function.registered.id),
            release: Ok(Arc::clone(&function.release)),
        };
        (state.generation, state.functions.iter().map(entry).collect())
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Has its functions served by a host, unless another does.
    pub(super) fn go_live(&self, live: Live) -> Result<(), ServerError> {
        let mut state = self.lock();
        for function in &state.functions {
            if let Some(reason) = live.host.rejection(&function.release.name()) {
                return Err(ServerError::NotServed(reason));
            }
        }
        state.live = Some(live);
        Ok(())
    }

    pub(super) fn is_live(&self) -> bool {
        self.lock().live.is_some()
    }

    fn reserve(&self, id: &str) -> Result<Reserved<'_>, ServerError> {
        let mut state = self.lock();
        let is_served = state.functions.iter().any(|function| *function.registered.id == *id);
        if is_served || state.loading.iter().any(|other| other == id) {
            return Err(ServerError::Taken { id: id.to_owned() });
        }
        state.loading.push(id.to_owned());
        Ok(Reserved { registry: self, id: id.to_owned() })
    }

    /// Changes the functions; returns the generation that has the change, and who is to serve it.
    fn change(&self, change: impl FnOnce(&mut Vec<Registration>)) -> (u64, Option<Live>) {
        let mut state = self.lock();
        change(&mut state.functions);
        state.generation += 1;
        self.changed.notify_one();
        (state.generation, state.live.clone())
    }

    /// Unloads what was loaded in vain.
    async fn undo(&self, registered: &Registered, error: ServerError) -> Result<(), ServerError> {
        unload(registered, GRACE).await.err().inspect(|error| tracing::error!("{error}"));
        Err(error)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.registry.lock().loading.retain(|id| *id != self.id);
    }
}

/// Waits until a generation is served. `None` where no host runs: what begins later serves it, too.
async fn served((generation, live): (u64, Option<Live>)) -> Option<Arc<Host>> {
    let Live { host, mut served } = live?;
    (*served.borrow())?;
    // An error: the host has ended.
    served.wait_for(|served| served.is_some_and(|served| served >= generation)).await.ok()?;
    Some(host)
}

fn context_of(manifest: &Manifest, slot: Arc<Slot>) -> Registered {
    let env: Variables = manifest.env.iter().collect();
    Registered {
        id: manifest.id.as_str().into(),
        version: manifest.version.as_str().into(),
        env: env.into(),
        slot,
    }
}

/// Calls `on_load`, in a task of its own: its panic ends nothing else.
async fn load(
    id: &str,
    mut function: Box<dyn FezzFunction>,
    context: FunctionContext,
) -> Result<Box<dyn FezzFunction>, ServerError> {
    let task = tokio::spawn(async move {
        let loaded = function.on_load(&context).await;
        loaded.map(|()| function)
    });
    outcome(task.await).map_err(|message| ServerError::NotLoaded { id: id.to_owned(), message })
}

/// Waits for the calls of a function, and calls its `on_unload`.
async fn unload(registered: &Registered, patience: Duration) -> Result<(), ServerError> {
    let id = || registered.id.to_string();
    let taken = timeout(patience, registered.slot.take()).await;
    let Some(mut function) = taken.map_err(|_| ServerError::StillRunning { id: id() })? else {
        return Ok(());
    };
    let context = registered.context("on_unload");
    let task = tokio::spawn(async move {
        let function = Arc::get_mut(&mut function).expect("`take` has waited for all others");
        function.on_unload(&context).await
    });
    outcome(task.await).map_err(|message| ServerError::NotUnloaded { id: id(), message })
}

/// What a hook's task has returned, or its error or panic in words.
fn outcome<T>(ended: Result<Result<T, FezzError>, tokio::task::JoinError>) -> Result<T, String> {
    match ended {
        Ok(outcome) => outcome.map_err(|error| error.message().unwrap_or_else(|| error.to_string())),
        Err(ended) => Err(match ended.try_into_panic() {
            Ok(payload) => format!("panicked: {}", panic::text(payload)),
            Err(_) => "the runtime is shutting down".to_owned(),
        }),
    }
}
