//! What all requests share.

use crate::catalogue::{Catalogue, ModuleStore};
use crate::children::Children;
use crate::execute::Spawn;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::settings::Settings;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// One running host.
#[derive(Debug)]
pub struct Host {
    /// The settings, which don't change while it runs.
    pub settings: Settings,
    /// What is served; a request keeps to the catalogue with which it began.
    pub catalogue: ArcSwap<Catalogue>,
    /// Where the catalogue's modules are kept.
    pub store: Arc<ModuleStore>,
    /// The places for processes of all functions together.
    pub processes: Gate,
    /// The executor.
    pub spawn: Spawn,
    /// What is counted.
    pub metrics: Metrics,
    small_body_memory: Arc<Semaphore>,
    body_memory: Arc<Semaphore>,
    small_response_memory: Arc<Semaphore>,
    response_memory: Arc<Semaphore>,
    state: watch::Sender<State>,
}

impl Host {
    /// A host that serves `catalogue`.
    pub fn new(
        settings: Settings,
        store: Arc<ModuleStore>,
        catalogue: Catalogue,
        children: Children,
    ) -> Self {
        let limits = &settings.limits;
        Self {
            // Who has a place at its function waits here without a limit of its own: the functions' places bound it.
            processes: Gate::new(limits.processes, u32::MAX),
            small_body_memory: memory(limits.body_memory_bytes / 4),
            body_memory: memory(limits.body_memory_bytes - limits.body_memory_bytes / 4),
            small_response_memory: memory(limits.response_memory_bytes / 4),
            response_memory: memory(limits.response_memory_bytes - limits.response_memory_bytes / 4),
            spawn: Spawn::new(settings.runner.clone(), limits.stderr_bytes, children),
            metrics: Metrics::new(),
            store,
            catalogue: ArcSwap::from_pointee(catalogue),
            state: watch::Sender::new(State::Serving),
            settings,
        }
    }

    /// A share of the memory for request bodies, for `bytes` more of one that then has `total`; `None` when it is used
    /// up. A quarter of all is for small ones alone, so that a few clients with large ones can't refuse everybody's.
    pub fn take_body_memory(&self, bytes: usize, total: usize) -> Option<OwnedSemaphorePermit> {
        let memory = if total <= SMALL_BODY_BYTES { &self.small_body_memory } else { &self.body_memory };
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(memory).try_acquire_many_owned(bytes).ok()
    }

    /// A share of the memory for responses that are being sent; `None` when it is used up. A quarter is for small ones,
    /// likewise.
    pub fn take_response_memory(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let memory =
            if bytes <= SMALL_BODY_BYTES { &self.small_response_memory } else { &self.response_memory };
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(memory).try_acquire_many_owned(bytes).ok()
    }

    /// How much of each memory is taken, by its use.
    pub fn memory_taken_bytes(&self) -> [(&'static str, usize); 4] {
        let limits = &self.settings.limits;
        let (small, small_response) = (limits.body_memory_bytes / 4, limits.response_memory_bytes / 4);
        let taken = |of: usize, memory: &Semaphore| of.saturating_sub(memory.available_permits());
        [
            ("small request bodies", taken(small, &self.small_body_memory)),
            ("request bodies", taken(limits.body_memory_bytes - small, &self.body_memory)),
            ("small responses", taken(small_response, &self.small_response_memory)),
            ("responses", taken(limits.response_memory_bytes - small_response, &self.response_memory)),
        ]
    }

    /// Whether the host is about to end: it isn't ready any more, though it may still serve.
    pub fn is_leaving(&self) -> bool {
        *self.state.borrow() >= State::Leaving
    }

    /// Whether the host takes no more requests.
    pub fn is_draining(&self) -> bool {
        *self.state.borrow() >= State::Draining
    }

    /// Waits until the host takes no more requests.
    pub async fn draining(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as the host.
        state.wait_for(|state| *state >= State::Draining).await.map(drop).unwrap_or_default();
    }

    /// From now on the host isn't ready.
    pub fn leave(&self) {
        self.state.send_modify(|state| *state = State::Leaving.max(*state));
    }

    /// From now on no request is taken.
    pub fn drain(&self) {
        self.state.send_replace(State::Draining);
    }
}

/// What a small body is, either way: nearly all are, and a quarter of the memory is theirs alone.
const SMALL_BODY_BYTES: usize = 64 * 1024;

fn memory(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
}

/// Each behind the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Serving,
    Leaving,
    Draining,
}
