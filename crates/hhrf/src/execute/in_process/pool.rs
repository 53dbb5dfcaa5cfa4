//! The calls of one release's module.

use super::Shared;
use super::load::ModuleFailure;
use super::module::{Backing, Reason};
use super::shares::{Running, Share};
use crate::admitted::AdmittedRequest;
use crate::catalogue::Function;
use crate::execute::answer::{self, Outcome};
use crate::execute::calls::{CallGuard, Calls};
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::message::encode_head;
use crate::execute::pool::{Call, Pool, Stats};
use crate::execute::response_reader::BESIDE_BODY_BYTES;
use crate::memory::{Holding, request_bytes};
use bytes::Bytes;
use fezz_inprocess::Image;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

/// The module of one release, and its calls.
#[derive(Debug)]
pub(super) struct ModulePool {
    /// Which the catalogue and requests hold.
    function: Weak<Function>,
    shared: Arc<Shared>,
    calls: Arc<Calls>,
    /// Its share of the threads.
    running: Running,
    state: Mutex<State>,
    /// Held while the module is loaded or unloaded.
    backing: Arc<tokio::sync::Mutex<Backing>>,
    /// The host may call a pool outside of its runtime.
    runtime: Handle,
}

#[derive(Debug)]
struct State {
    /// The module, while it is loaded. Each call has a clone.
    image: Option<Arc<Image>>,
    last_used: Instant,
    is_retired: bool,
    /// Whether it was unloaded for good.
    is_over: bool,
}

/// What a call needs on its thread. The guard and the share of the threads are released when the module returns.
struct Work {
    image: Arc<Image>,
    message: Bytes,
    body_bytes_max: u64,
    holding: Holding,
    _guard: CallGuard,
    _share: Share,
}

impl ModulePool {
    /// For one release. Must be called in a runtime.
    pub(super) fn new(function: &Arc<Function>, shared: Arc<Shared>, overdue_max: u32) -> Self {
        Self {
            function: Arc::downgrade(function),
            shared,
            calls: Calls::new(overdue_max),
            running: Running::default(),
            state: Mutex::new(State {
                image: None,
                last_used: Instant::now(),
                is_retired: false,
                is_over: false,
            }),
            backing: Arc::new(tokio::sync::Mutex::new(Backing::new(&function.release))),
            runtime: Handle::current(),
        }
    }

    async fn answer(self: &Arc<Self>, request: AdmittedRequest) -> Outcome {
        let deadline = request.facts.deadline;
        let body_bytes_max = request.facts.function.release.limits.response_body_bytes;
        let image = within(deadline, self.image()).await??;
        // Else it would wait until its deadline for a share that calls hold which never end.
        self.calls.check_overdue()?;
        let share = within(deadline, self.shared.shares.take(&self.running)).await?;
        let message = message(&request)?;
        let AdmittedRequest { permits, body, response_memory, .. } = request;
        let guard = self.calls.begin(permits, body, deadline)?;
        let work =
            Work { image, message, body_bytes_max, holding: response_memory, _guard: guard, _share: share };
        let call = self.shared.threads.call(|| work.call());
        let (message, holding) = within(deadline, call).await?.map_err(|_| Failure::Host)??;
        answer::decode(&message, holding, body_bytes_max)
    }

    /// The loaded module; loads it if it isn't.
    async fn image(self: &Arc<Self>) -> Result<Arc<Image>, Failure> {
        if let Some(image) = self.loaded() {
            return Ok(image);
        }
        let mut backing = Arc::clone(&self.backing).lock_owned().await;
        // Another request may have loaded it meanwhile.
        if let Some(image) = self.loaded() {
            return Ok(image);
        }
        let pool = Arc::clone(self);
        // Goes on if this request doesn't: the next one finds the module loaded.
        let loading = spawn_blocking(move || {
            let image = backing.load(&pool.shared)?;
            let mut state = pool.lock();
            state.last_used = Instant::now();
            state.image = Some(Arc::clone(&image));
            drop(state);
            Ok::<_, ModuleFailure>(image)
        });
        loading.await.map_err(|_| Failure::Host)?.map_err(Failure::InProcess)
    }

    fn loaded(&self) -> Option<Arc<Image>> {
        let mut state = self.lock();
        state.last_used = Instant::now();
        state.image.clone()
    }

    /// Takes the module out if no call has it and it isn't needed, and has it unloaded.
    fn unload_if_unused(self: &Arc<Self>) {
        // A lock that is held: it is being loaded or unloaded.
        let Ok(mut backing) = Arc::clone(&self.backing).try_lock_owned() else { return };
        let mut state = self.lock();
        let reason = match state.is_retired {
            true if self.may_be_called() => return,
            true => Reason::Replaced,
            false if state.last_used.elapsed() >= self.shared.idle => Reason::Idle,
            false => return,
        };
        // `get_mut` sees all that ended calls have done, which `on_unload` is about to undo; `strong_count` needn't.
        if state.image.as_mut().is_some_and(|image| Arc::get_mut(image).is_none()) {
            return;
        }
        state.is_over = reason == Reason::Replaced;
        let image = state.image.take();
        if image.is_none() && !(state.is_over && backing.has_left()) {
            return;
        }
        drop(state);
        let shared = Arc::clone(&self.shared);
        self.runtime.spawn_blocking(move || backing.unload(image, reason, &shared));
    }

    /// Whether requests may still come although it is retired: those that began before their release was replaced. Not when
    /// all pools are retired, at the host's end.
    fn may_be_called(&self) -> bool {
        self.function.upgrade().is_some_and(|function| function.is_retired())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool for ModulePool {
    fn call(self: Arc<Self>, request: AdmittedRequest) -> Call {
        Box::pin(async move { self.answer(request).await })
    }

    /// A pool is needed as long as its release is served: it remembers a module that stays mapped.
    fn tick(self: Arc<Self>) -> bool {
        self.unload_if_unused();
        let state = self.lock();
        !state.is_over || state.image.is_some() || self.backing.try_lock().is_err()
    }

    fn retire(self: Arc<Self>) {
        self.lock().is_retired = true;
        self.unload_if_unused();
    }

    fn stats(&self) -> Stats {
        let is_loaded = self.lock().image.is_some() || self.backing.try_lock().is_err();
        Stats { overdue: self.calls.overdue(), modules: usize::from(is_loaded), ..Stats::default() }
    }
}

impl Work {
    /// Calls the module, on this thread, and copies its response out of its memory.
    fn call(self) -> Result<(Bytes, Holding), Failure> {
        let empty = |_| Failure::InvalidResponse(InvalidResponse::Empty);
        let response = self.image.handle(&self.message).map_err(empty)?;
        let body_bytes_max = usize::try_from(self.body_bytes_max).unwrap_or(usize::MAX);
        if response.len() > body_bytes_max.saturating_add(BESIDE_BODY_BYTES) {
            return Err(Failure::InvalidResponse(InvalidResponse::TooLarge {
                bytes: response.len(),
                body_bytes_max,
                beside_bytes_max: BESIDE_BODY_BYTES,
            }));
        }
        if response.len() > SMALL_MESSAGE_BYTES {
            self.holding.resize(response.len()).map_err(Failure::ResponseDropped)?;
        }
        Ok((Bytes::copy_from_slice(&response), self.holding))
    }
}

/// What is reserved for each response before its function runs holds at least this.
const SMALL_MESSAGE_BYTES: usize = crate::memory::SMALL_BYTES / 2;

/// The whole message. A body is copied for it, and its memory charged.
fn message(request: &AdmittedRequest) -> Result<Bytes, Failure> {
    let head = encode_head(request);
    let body = &request.body.bytes;
    if body.is_empty() {
        return Ok(head);
    }
    let bytes = request_bytes(&request.facts.head, request.facts.original_uri.as_ref()) + 2 * body.len();
    request.body.holding.resize(bytes).map_err(Failure::NoMemory)?;
    Ok([&head[..], body].concat().into())
}

/// What arrives before the deadline.
async fn within<T>(deadline: Instant, wait: impl Future<Output = T>) -> Result<T, Failure> {
    timeout_at(deadline, wait).await.map_err(|_| Failure::DeadlineExceeded)
}
