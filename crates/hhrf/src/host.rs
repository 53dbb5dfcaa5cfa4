//! What all requests share.

use crate::catalogue::{Catalogue, ModuleStore};
use crate::children::Children;
use crate::execute::Executors;
use crate::execute::start::Starter;
use crate::gate::Gate;
use crate::jail::Jail;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::settings::Settings;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::watch;

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
    /// The ways to execute requests.
    pub executors: Executors,
    /// What is counted.
    pub metrics: Metrics,
    /// For request bodies, until they are with their process.
    pub body_memory: Memory,
    /// For responses, until their last byte is on its way.
    pub response_memory: Memory,
    state: watch::Sender<State>,
}

impl Host {
    /// A host that serves `catalogue`.
    pub fn new(
        settings: Settings,
        store: Arc<ModuleStore>,
        catalogue: Catalogue,
        children: Arc<Children>,
        jail: Jail,
    ) -> Self {
        let limits = &settings.limits;
        let metrics = Metrics::new();
        metrics.series.serve(&catalogue);
        Self {
            // Who has a place at its function waits here without a limit of its own: the functions' places bound it.
            processes: Gate::new(limits.processes, u32::MAX),
            body_memory: Memory::new(limits.body_memory_bytes),
            response_memory: Memory::new(limits.response_memory_bytes),
            executors: Executors::new(
                &settings,
                Starter {
                    runner: settings.runner.clone(),
                    stderr_bytes_max: limits.stderr_bytes,
                    children,
                    jail,
                },
                metrics.wear.clone(),
            ),
            metrics,
            store,
            catalogue: ArcSwap::from_pointee(catalogue),
            state: watch::Sender::new(State::Serving),
            settings,
        }
    }

    /// How much of each memory is taken, by its use.
    pub fn memory_taken_bytes(&self) -> [(&'static str, usize); 4] {
        let [small_bodies, bodies] = self.body_memory.taken_bytes();
        let [small_responses, responses] = self.response_memory.taken_bytes();
        [
            ("small request bodies", small_bodies),
            ("request bodies", bodies),
            ("small responses", small_responses),
            ("responses", responses),
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

/// Each behind the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Serving,
    Leaving,
    Draining,
}
