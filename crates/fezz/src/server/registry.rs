//! The functions of a server, from `on_load` to `on_unload`.
//!
//! Each change runs to its end as a task of its own, whatever becomes of the future that asked for it: a function that was
//! loaded is served or unloaded, and one that isn't served any more is unloaded.

use super::error::ServerError;
use super::hook;
use super::native::{Registered, Served};
use super::slot::{self, Slot};
use crate::function::FezzFunction;
use fezz_manifest::Manifest;
use hhrf::host::Host;
use hhrf::release::Release;
use hhrf::source::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, RwLock, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long after their deadline calls may take to end before a function is given up: time for what is dropped, and for
/// work that isn't stuck.
const GRACE: Duration = Duration::from_secs(5);

/// How long an `on_unload` may take: enough to write down what is left, and a third of the time after which a manager of
/// containers usually kills a program that was told to end.
const UNLOAD_MAX: Duration = Duration::from_secs(10);

/// All functions of a server.
#[derive(Debug, Default)]
pub(super) struct Registry {
    state: Mutex<State>,
    changed: Notify,
    /// Read by each task that changes the functions: the server's end waits for them.
    tasks: Arc<RwLock<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were registered.
    functions: Vec<Registration>,
    /// The ids of functions that are being loaded.
    loading: Vec<String>,
    /// Counts the changes of `functions`.
    generation: u64,
    phase: Phase,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    NotStarted,
    /// The server has listened.
    Live(Live),
    Ended,
}

/// A function that is registered. Its release goes to the host, and from there to each of its requests.
#[derive(Debug)]
struct Registration {
    release: Arc<Release>,
    registered: Registered,
}

/// The host that serves the functions.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) host: Arc<Host>,
    /// The generation that it serves; `None` until it runs.
    pub(super) served: watch::Receiver<Option<u64>>,
}

/// A generation, and the host that is to serve it.
type Change = (u64, Option<Live>);

/// What is to have the id of a function that is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Another,
}

/// The name of a function that is being loaded, free again when this is dropped.
struct Reserved<'a> {
    registry: &'a Registry,
    id: String,
}

impl Registry {
    /// Registers a function; instead of another one, if `before` says so.
    pub(super) async fn register(
        self: &Arc<Self>,
        manifest: Manifest,
        function: Box<dyn FezzFunction>,
        before: Before,
    ) -> Result<(), ServerError> {
        let (registry, id) = (Arc::clone(self), manifest.id.clone());
        let work = |left| async move { registry.put(manifest, function, before, left).await };
        self.detached(&id, work).await
    }

    pub(super) async fn unregister(self: &Arc<Self>, id: &str) -> Result<(), ServerError> {
        let (registry, owned) = (Arc::clone(self), id.to_owned());
        self.detached(id, |left| async move { registry.remove(&owned, left).await }).await
    }

    /// Runs `work` as a task, and waits for its outcome; where a call of the function `id` itself asks for it, only until the
    /// function has left: `on_unload` waits for that call.
    async fn detached<W>(
        &self,
        id: &str,
        work: impl FnOnce(oneshot::Sender<()>) -> W,
    ) -> Result<(), ServerError>
    where
        W: Future<Output = Result<(), ServerError>> + Send + 'static,
    {
        let ((left, has_left), (sender, outcome)) = (oneshot::channel(), oneshot::channel());
        let is_own = self.lock().find(id).is_some_and(|own| slot::is_calling(&own.registered.slot));
        let (work, tasks) = (work(left), Arc::clone(&self.tasks));
        tokio::spawn(async move {
            let _task = tasks.read_owned().await;
            if let Err(Err(unseen)) = sender.send(work.await) {
                tracing::error!("{unseen}");
            }
        });
        tokio::select! {
            // An error: the runtime shuts down.
            outcome = outcome => outcome.unwrap_or(Err(ServerError::Ended)),
            Ok(()) = has_left, if is_own => Ok(()),
        }
    }

    async fn put(
        &self,
        manifest: Manifest,
        function: Box<dyn FezzFunction>,
        before: Before,
        left: oneshot::Sender<()>,
    ) -> Result<(), ServerError> {
        let id = manifest.id.clone();
        let reserved = self.reserve(&id, before)?;
        let new = load(manifest, function).await?;
        let (registered, name) = (new.registered.clone(), new.release.name());
        let put = self.change(|state| match (state.position(&id), before) {
            (Some(at), _) => Ok(Some(std::mem::replace(&mut state.functions[at], new))),
            (None, Before::Nothing) => {
                state.functions.push(new);
                Ok(None)
            }
            (None, Before::Another) => Err(ServerError::NotRegistered { id: id.clone() }),
        });
        drop(reserved);
        let (old, change) = match put {
            Ok(done) => done,
            Err(error) => return undo(registered, error).await,
        };
        let error = match served(change).await {
            Ok(host) => match host.as_ref().and_then(|host| host.rejection(&name)) {
                None => return leave(old, host.as_deref(), left).await,
                Some(reason) => ServerError::NotServed(reason),
            },
            Err(ended) => ended,
        };
        self.put_back(old, registered, error).await
    }

    /// Has the `old` function served again, if there was one, instead of the `new` one, which failed by `error`.
    async fn put_back(
        &self,
        mut old: Option<Registration>,
        new: Registered,
        error: ServerError,
    ) -> Result<(), ServerError> {
        let back = self.change(|state| {
            let at = state.functions.iter().position(|other| Arc::ptr_eq(&other.registered.slot, &new.slot));
            let at = at.ok_or(ServerError::Ended)?;
            match old.take() {
                Some(old) => state.functions[at] = old,
                None => drop(state.functions.remove(at)),
            }
            Ok(())
        });
        match back {
            Ok(((), change)) => {
                // An error: then it has ended, too.
                served(change).await.ok();
                undo(new, error).await
            }
            // The server's end, or who has removed it meanwhile, unloads the new one.
            Err(_) => {
                let (left, _) = oneshot::channel();
                leave(old, None, left).await.and(Err(error))
            }
        }
    }

    async fn remove(&self, id: &str, left: oneshot::Sender<()>) -> Result<(), ServerError> {
        let (found, change) = self.change(|state| match state.position(id) {
            Some(at) => Ok(state.functions.remove(at)),
            None => Err(ServerError::NotRegistered { id: id.to_owned() }),
        })?;
        let ending = change.1.as_ref().map(|live| Arc::clone(&live.host));
        // An error: the server ends, and lets go of the function when it has.
        let host = served(change).await.unwrap_or(ending);
        leave(Some(found), host.as_deref(), left).await
    }

    /// Ends all functions when the host has ended, together, for at most `patience`.
    pub(super) async fn end(&self, patience: Duration) {
        let functions = {
            let mut state = self.lock();
            state.phase = Phase::Ended;
            std::mem::take(&mut state.functions)
        };
        let mut unloads = JoinSet::new();
        for Registration { release, registered } in functions.into_iter().rev() {
            drop(release);
            unloads.spawn(async move {
                // The host has waited for the calls already.
                if let Err(error) = unload(registered, Patience::SHORT).await {
                    tracing::error!("{error}");
                }
            });
        }
        let all = async {
            while unloads.join_next().await.is_some() {}
            // Functions that were unregistered or registered shortly before.
            drop(self.tasks.write().await);
        };
        if timeout(patience, all).await.is_err() {
            tracing::error!("hooks of functions still run: not waiting any longer");
        }
    }

    /// What a source serves, and its generation.
    pub(super) fn entries(&self) -> (u64, Vec<Entry>) {
        let state = self.lock();
        let entry = |function: &Registration| Entry {
            origin: format!("the registered function {}", function.registered.id),
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
        state.phase = Phase::Live(live);
        Ok(())
    }

    pub(super) fn was_started(&self) -> bool {
        !matches!(self.lock().phase, Phase::NotStarted)
    }

    fn reserve(&self, id: &str, before: Before) -> Result<Reserved<'_>, ServerError> {
        let mut state = self.lock();
        state.check_not_ended()?;
        let is_registered = state.find(id).is_some();
        if before == Before::Another && !is_registered {
            return Err(ServerError::NotRegistered { id: id.to_owned() });
        }
        if (before == Before::Nothing && is_registered) || state.loading.iter().any(|other| other == id) {
            return Err(ServerError::Taken { id: id.to_owned() });
        }
        state.loading.push(id.to_owned());
        Ok(Reserved { registry: self, id: id.to_owned() })
    }

    /// Changes the functions, unless the server has ended.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, ServerError>,
    ) -> Result<(T, Change), ServerError> {
        let mut state = self.lock();
        state.check_not_ended()?;
        let outcome = change(&mut state)?;
        state.generation += 1;
        self.changed.notify_one();
        let live = match &state.phase {
            Phase::Live(live) => Some(live.clone()),
            Phase::NotStarted | Phase::Ended => None,
        };
        Ok((outcome, (state.generation, live)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn position(&self, id: &str) -> Option<usize> {
        self.functions.iter().position(|function| *function.registered.id == *id)
    }

    fn find(&self, id: &str) -> Option<&Registration> {
        self.position(id).map(|at| &self.functions[at])
    }

    fn check_not_ended(&self) -> Result<(), ServerError> {
        match self.phase {
            Phase::Ended => Err(ServerError::Ended),
            Phase::NotStarted | Phase::Live(_) => Ok(()),
        }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.registry.lock().loading.retain(|id| *id != self.id);
    }
}

/// How long a function is waited for before it is given up.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// For the requests that can still reach it.
    request: Duration,
    /// Then for what works on for one: a thread, or a task of its own.
    call: Duration,
}

impl Patience {
    /// Where no request is in flight any more.
    const SHORT: Self = Self { request: GRACE, call: GRACE };
}

/// Waits until a generation is served, and returns who serves it; `None` where no host runs: what begins later serves it,
/// too.
///
/// # Errors
///
/// The server ends before.
async fn served((generation, live): Change) -> Result<Option<Arc<Host>>, ServerError> {
    let Some(Live { host, mut served }) = live else { return Ok(None) };
    if served.borrow().is_none() {
        return Ok(None);
    }
    let reached = served.wait_for(|served| served.is_some_and(|served| served >= generation)).await;
    reached.map(|_| ()).map_err(|_| ServerError::Ended)?;
    Ok(Some(host))
}

/// Calls `on_load`.
async fn load(manifest: Manifest, mut function: Box<dyn FezzFunction>) -> Result<Registration, ServerError> {
    let id = manifest.id.clone();
    let mut registered = Registered::new(&manifest);
    let context = registered.context("on_load");
    let loading = async move {
        let loaded = function.on_load(&context).await;
        loaded.map(|()| function).map_err(|error| error.message().unwrap_or_else(|| error.to_string()))
    };
    let loaded = hook::run(loading).await.and_then(|loaded| loaded);
    registered.slot = Slot::new(loaded.map_err(|message| ServerError::NotLoaded { id, message })?);
    let release = Release::native(manifest, Arc::new(Served(registered.clone())));
    let release = Arc::new(release.expect("the manifest's routes are checked when it is made"));
    Ok(Registration { release, registered })
}

/// Unloads a function that `host` served, when its requests have ended. `left` is told when no more can come.
async fn leave(
    function: Option<Registration>,
    host: Option<&Host>,
    left: oneshot::Sender<()>,
) -> Result<(), ServerError> {
    // Fails if nothing waits for it.
    left.send(()).ok();
    let Some(Registration { release, registered }) = function else { return Ok(()) };
    let call = release.timeout + GRACE;
    let request = match host {
        // One may just have begun to send its body.
        Some(host) => host.settings.limits.body_timeout + call,
        None => {
            // A host that doesn't run yet may hold its release.
            registered.slot.release();
            GRACE
        }
    };
    drop(release);
    unload(registered, Patience { request, call }).await
}

/// Unloads a function that was loaded in vain, because of `error`.
async fn undo(registered: Registered, error: ServerError) -> Result<(), ServerError> {
    if let Err(second) = unload(registered, Patience::SHORT).await {
        tracing::error!("{second}");
    }
    Err(error)
}

/// Waits for the last request of a function, and calls its `on_unload`.
async fn unload(registered: Registered, patience: Patience) -> Result<(), ServerError> {
    let id = || registered.id.to_string();
    let taken = async {
        timeout(patience.request, registered.slot.released()).await?;
        timeout(patience.call, registered.slot.take()).await
    };
    let Some(mut function) = taken.await.map_err(|_| ServerError::StillRunning { id: id() })? else {
        return Ok(());
    };
    let context = registered.context("on_unload");
    let unloading = async move {
        let function = Arc::get_mut(&mut function).expect("`take` has waited for all others");
        let unloaded = function.on_unload(&context).await;
        unloaded.map_err(|error| error.message().unwrap_or_else(|| error.to_string()))
    };
    let unloaded = timeout(UNLOAD_MAX, hook::run(unloading)).await;
    let unloaded = unloaded.unwrap_or_else(|_| Err(format!("it takes over {} s", UNLOAD_MAX.as_secs())));
    unloaded.and_then(|unloaded| unloaded).map_err(|message| ServerError::NotUnloaded { id: id(), message })
}

/// How long the server's end waits for hooks.
pub(super) const END_MAX: Duration = GRACE.saturating_add(UNLOAD_MAX);

/// The same if a second signal has ended it.
pub(super) const FORCED_END_MAX: Duration = GRACE;
