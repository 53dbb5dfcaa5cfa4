//! What all requests share.

use crate::catalogue::{Catalogue, Homes};
use crate::cores::Cores;
use crate::execute::Executors;
use crate::execute::start::Starter;
use crate::failure_recorder::FailureRecorder;
use crate::limiter::Limiter;
use crate::memory::{Addresses, Memory, Usage, Use};
use crate::metrics::Metrics;
use crate::server::BuildError;
use crate::settings::Settings;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// One running host.
#[derive(Debug)]
pub struct Host {
    /// The settings, which don't change while it runs.
    pub settings: Settings,
    /// What is served. A request keeps the catalogue with which it began.
    pub(crate) catalogue: ArcSwap<Catalogue>,
    pub(crate) homes: Homes,
    /// The permits for processes of all functions together.
    pub(crate) processes: Arc<Limiter>,
    /// The processors that serve the main listener's connections; `None` if the runtime's threads share that work.
    pub(crate) cores: Option<Arc<Cores>>,
    pub(crate) executors: Executors,
    pub(crate) metrics: Metrics,
    /// Memory of requests, from their head to the end of their process.
    pub(crate) request_memory: Arc<Memory>,
    /// Memory of responses, until their last byte is written.
    pub(crate) response_memory: Arc<Memory>,
    /// The accounts of clients' addresses in both.
    pub(crate) addresses: Addresses,
    /// Records failed requests, if the settings say so.
    pub(crate) failure_recorder: Option<FailureRecorder>,
    state: watch::Sender<State>,
    reload: Notify,
}

impl Host {
    /// A host that serves nothing yet, and starts processes by `starter`, if there is one.
    ///
    /// # Errors
    ///
    /// Failed requests can't be recorded where the settings say, or no thread can be started.
    pub(crate) fn new(settings: Settings, starter: Option<Starter>) -> Result<Self, BuildError> {
        let limits = &settings.limits;
        let metrics = Metrics::new();
        let recorder = |folder| FailureRecorder::open(folder, metrics.recorder.clone());
        let failure_recorder = settings.record_failures.as_deref().map(recorder).transpose()?;
        let cores = settings.per_core.then(|| Cores::start(&metrics.cores)).transpose();
        let cores = cores.map_err(BuildError::Cores)?.map(Arc::new);
        if let Some(cores) = &cores {
            tracing::info!(
                processors = cores.count(),
                "each processor has a runtime of its own (--per-core)"
            );
        }
        Ok(Self {
            catalogue: ArcSwap::default(),
            homes: Homes::new(
                starter.as_ref().and_then(|starter| starter.jail.uid_base()),
                Arc::clone(&metrics.series),
            ),
            // No limit for this queue: only requests with a permit of their function wait here.
            processes: Limiter::new(limits.processes, u32::MAX),
            request_memory: Memory::new(Use::Requests, limits.body_memory_bytes),
            response_memory: Memory::new(Use::Responses, limits.response_memory_bytes),
            addresses: Addresses::default(),
            executors: Executors::new(&settings, starter, cores.as_ref(), &metrics),
            cores,
            metrics,
            state: watch::Sender::new(State::Serving),
            reload: Notify::new(),
            failure_recorder,
            settings,
        })
    }

    /// How much of each memory is taken.
    pub(crate) fn memory(&self) -> [(Use, Usage); 2] {
        [(Use::Requests, self.request_memory.usage()), (Use::Responses, self.response_memory.usage())]
    }

    /// The memory that is so full that the next requests may be refused.
    pub(crate) fn short_memory(&self) -> Option<Use> {
        self.memory().into_iter().find(|(_, usage)| usage.is_short()).map(|(r#use, _)| r#use)
    }

    /// Asks for a reload, even if nothing has changed.
    pub fn ask_for_reload(&self) {
        self.reload.notify_one();
    }

    /// Why the release of that name, `<id>@<version>`, isn't served; `None` if it is, or if the source has none.
    pub fn rejection(&self, name: &str) -> Option<String> {
        let catalogue = self.catalogue.load();
        catalogue.rejected().iter().find(|rejected| rejected.name == name).map(ToString::to_string)
    }

    /// Waits until a reload is asked for.
    pub(crate) async fn asked_for_reload(&self) {
        self.reload.notified().await;
    }

    /// Whether the host is shutting down: it isn't ready any more, but may still serve.
    pub(crate) fn is_leaving(&self) -> bool {
        *self.state.borrow() >= State::Leaving
    }

    /// Whether the host takes no more requests.
    pub(crate) fn is_draining(&self) -> bool {
        *self.state.borrow() >= State::Draining
    }

    /// Waits until the host takes no more requests.
    pub(crate) async fn draining(&self) {
        self.reached(State::Draining).await;
    }

    /// Whether requests in flight are cut off.
    pub(crate) fn is_cut_off(&self) -> bool {
        *self.state.borrow() >= State::CutOff
    }

    /// Waits until requests in flight are cut off.
    pub(crate) async fn cutting_off(&self) {
        self.reached(State::CutOff).await;
    }

    async fn reached(&self, reached: State) {
        let mut state = self.state.subscribe();
        // The sender lives as long as the host.
        state.wait_for(|state| *state >= reached).await.map(drop).unwrap_or_default();
    }

    /// Begins the shutdown: from now on the host isn't ready.
    pub(crate) fn leave(&self) {
        self.enter(State::Leaving);
    }

    /// From now on no request is accepted.
    pub(crate) fn drain(&self) {
        self.enter(State::Draining);
    }

    /// From now on requests in flight are cut off, and their connections reset.
    pub(crate) fn cut_off(&self) {
        self.enter(State::CutOff);
    }

    fn enter(&self, next: State) {
        self.state.send_modify(|state| *state = next.max(*state));
    }
}

/// The host passes through these in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Serving,
    Leaving,
    Draining,
    CutOff,
}
