//! What all requests share.

use crate::catalogue::Catalogue;
use crate::children::Children;
use crate::execute::Spawn;
use crate::gate::Gate;
use crate::metrics::Metrics;
use crate::settings::Settings;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One running host.
#[derive(Debug)]
pub struct Host {
    /// The settings, which don't change while it runs.
    pub settings: Settings,
    /// What is served; a request keeps to the catalogue with which it began.
    pub catalogue: ArcSwap<Catalogue>,
    /// The places for processes of all functions together.
    pub processes: Gate,
    /// The executor.
    pub spawn: Spawn,
    /// What is counted.
    pub metrics: Metrics,
    body_memory: Arc<Semaphore>,
    state: AtomicU8,
}

impl Host {
    /// A host that serves `catalogue`.
    pub fn new(settings: Settings, catalogue: Catalogue, children: Children) -> Self {
        let limits = &settings.limits;
        Self {
            // Who has a place at its function waits here without a limit of its own: the functions' places bound it.
            processes: Gate::new(limits.processes, u32::MAX),
            body_memory: Arc::new(Semaphore::new(limits.body_memory_bytes.min(Semaphore::MAX_PERMITS))),
            spawn: Spawn::new(settings.runner.clone(), limits.stderr_bytes, children),
            metrics: Metrics::new(),
            catalogue: ArcSwap::from_pointee(catalogue),
            state: AtomicU8::new(SERVING),
            settings,
        }
    }

    /// A share of the memory for bodies; `None` when it is used up.
    pub fn take_body_memory(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.body_memory).try_acquire_many_owned(bytes).ok()
    }

    /// Whether the host is about to end: it isn't ready any more, though it may still serve.
    pub fn is_leaving(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= LEAVING
    }

    /// Whether the host takes no more requests.
    pub fn is_draining(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= DRAINING
    }

    /// From now on the host isn't ready.
    pub fn leave(&self) {
        self.state.fetch_max(LEAVING, Ordering::Relaxed);
    }

    /// From now on no request is taken.
    pub fn drain(&self) {
        self.state.fetch_max(DRAINING, Ordering::Relaxed);
    }
}

// A host's states, each behind the one before.
const SERVING: u8 = 0;
const LEAVING: u8 = 1;
const DRAINING: u8 = 2;
