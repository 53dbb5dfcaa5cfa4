//! The metrics, in the OpenMetrics text format (which Prometheus reads).
//!
//! `functions` and `memory` have what is read when it is printed, `wear` the counters of functions that crash, `rewind` those of rewound processes, `worker` those of workers,
//! `cores` those of processors. The counters of requests are [`crate::series`].

mod cores;
mod functions;
mod gauge;
mod in_process;
mod memory;
mod rewind;
mod wear;
mod worker;

pub(crate) use cores::CoreCounters;
pub(crate) use functions::FunctionStats;
pub(crate) use in_process::InProcessMetrics;
pub(crate) use rewind::{FunctionRewinds, RewindCounters};
pub(crate) use wear::WearCounters;
pub(crate) use worker::WorkerCounters;

use crate::failure_recorder::RecorderCounters;
use crate::memory::{Usage, Use};
use crate::series::Series;
use functions::FunctionGauges;
use gauge::count;
use memory::MemoryMetrics;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Counters of ended requests, by function.
    pub series: Arc<Series>,
    pub in_flight: Gauge,
    /// Reloads that succeeded.
    pub reloads: Counter,
    /// 1 since a reload failed, until one succeeds.
    pub reload_failed: Gauge,
    pub wear: WearCounters,
    pub rewinds: RewindCounters,
    pub workers: WorkerCounters,
    pub cores: CoreCounters,
    pub in_process: InProcessMetrics,
    /// Connections above their address's limit.
    pub connections_refused: Counter,
    pub recorder: RecorderCounters,
    functions: Gauge,
    rejected: Gauge,
    of_functions: FunctionGauges,
    memory: MemoryMetrics,
    /// Held while gauges are set and printed.
    printing: Mutex<()>,
}

/// What `/_metrics` answers with, as its content type.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("fezz"),
            series: Series::new(),
            in_flight: Gauge::default(),
            reloads: Counter::default(),
            reload_failed: Gauge::default(),
            wear: WearCounters::default(),
            rewinds: RewindCounters::default(),
            workers: WorkerCounters::default(),
            cores: CoreCounters::default(),
            in_process: InProcessMetrics::default(),
            connections_refused: Counter::default(),
            recorder: RecorderCounters::default(),
            functions: Gauge::default(),
            rejected: Gauge::default(),
            of_functions: FunctionGauges::default(),
            memory: MemoryMetrics::default(),
            printing: Mutex::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        self.series.register(registry);
        registry.register("requests_in_flight", "Requests not ended", self.in_flight.clone());
        registry.register("reloads", "Reloads that succeeded", self.reloads.clone());
        let help = "1 if the last reload failed, so that previous functions are still served";
        registry.register("reload_failed", help, self.reload_failed.clone());
        self.of_functions.register(registry);
        self.wear.register(registry);
        self.rewinds.register(registry);
        self.workers.register(registry);
        self.cores.register(registry);
        self.in_process.register(registry);
        registry.register("functions", "Functions served", self.functions.clone());
        registry.register("functions_refused", "Releases that are not served", self.rejected.clone());
        self.memory.register(registry);
        registry.register(
            "connections_refused",
            "Connections closed at once, because their address already had half of all",
            self.connections_refused.clone(),
        );
        self.recorder.register(registry);
    }

    /// All metrics as text. What is read now is given: `functions` are those that are served, `rejected` is the number of
    /// releases that aren't, and `memory` is the usage of each memory.
    pub(crate) fn text(
        &self,
        functions: &[FunctionStats],
        rejected: usize,
        memory: &[(Use, Usage)],
    ) -> String {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        self.of_functions.set(functions);
        self.wear.retain(functions);
        self.rewinds.retain(functions);
        self.workers.retain(functions);
        self.functions.set(count(functions.len()));
        self.rejected.set(count(rejected));
        memory.iter().for_each(|(r#use, usage)| self.memory.set(*r#use, usage));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes every write");
        text
    }
}
