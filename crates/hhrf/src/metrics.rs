//! The metrics, in the OpenMetrics text format (which Prometheus reads).

use crate::catalogue::Catalogue;
use crate::execute::Executors;
use crate::memory::{Usage, Use};
use crate::series::{FunctionLabels, Series};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one host.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Counters of ended requests, by function.
    pub series: Arc<Series>,
    /// Requests in flight.
    pub in_flight: Gauge,
    /// Catalogues swapped in since the start.
    pub reloads: Counter,
    processes: Family<FunctionLabels, Gauge>,
    queued: Family<FunctionLabels, Gauge>,
    spare: Family<FunctionLabels, Gauge>,
    zygotes: Family<FunctionLabels, Gauge>,
    /// Counters of functions that crash.
    pub wear: WearCounters,
    functions: Gauge,
    refused: Gauge,
    /// Connections above their address's limit.
    pub connections_refused: Counter,
    memory: Family<MemoryLabels, Gauge>,
    memory_max: Family<MemoryLabels, Gauge>,
    ended_for_memory: Family<EndedLabels, Counter>,
    /// Held while the gauges of functions are set and printed.
    printing: Mutex<()>,
}

/// Counters of functions whose processes keep crashing; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct WearCounters {
    zygotes: Family<FunctionLabels, Counter>,
    pauses: Family<FunctionLabels, Counter>,
    /// The functions that have either counter.
    named: Arc<Mutex<BTreeSet<String>>>,
}

impl WearCounters {
    /// A zygote was replaced because its processes crashed.
    pub fn zygote_worn_out(&self, function: &str) {
        self.count(&self.zygotes, function);
    }

    /// A function was paused.
    pub fn function_paused(&self, function: &str) {
        self.count(&self.pauses, function);
    }

    fn count(&self, family: &Family<FunctionLabels, Counter>, function: &str) {
        self.named().insert(function.to_owned());
        family.get_or_create(&FunctionLabels { function: function.to_owned() }).inc();
    }

    /// Drops the series of functions that aren't served any more.
    fn retain(&self, catalogue: &Catalogue) {
        let served: BTreeSet<String> = catalogue.functions().map(|function| function.name()).collect();
        self.named().retain(|name| {
            let is_served = served.contains(name);
            if !is_served {
                let labels = FunctionLabels { function: name.clone() };
                self.zygotes.remove(&labels);
                self.pauses.remove(&labels);
            }
            is_served
        });
    }

    fn named(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // Nothing that is done under the lock can panic halfway.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemoryLabels {
    r#use: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndedLabels {
    r#use: &'static str,
    reason: &'static str,
}

/// What `/_metrics` answers with, as its content type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("fezz"),
            series: Series::new(),
            in_flight: Gauge::default(),
            reloads: Counter::default(),
            processes: Family::default(),
            queued: Family::default(),
            spare: Family::default(),
            zygotes: Family::default(),
            wear: WearCounters::default(),
            functions: Gauge::default(),
            refused: Gauge::default(),
            connections_refused: Counter::default(),
            memory: Family::default(),
            memory_max: Family::default(),
            ended_for_memory: Family::default(),
            printing: Mutex::default(),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests ended, by their status and problem",
            metrics.series.requests.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "From head to response",
            metrics.series.durations.clone(),
        );
        registry.register("requests_in_flight", "Requests not ended", metrics.in_flight.clone());
        registry.register("reloads", "Catalogues swapped in", metrics.reloads.clone());
        registry.register("processes", "Processes that run or are being ended", metrics.processes.clone());
        registry.register("queued", "Requests that wait for a process", metrics.queued.clone());
        registry.register("spare_processes", "Idle processes that wait for requests", metrics.spare.clone());
        registry.register("zygotes", "Processes that others are forked from", metrics.zygotes.clone());
        registry.register(
            "zygotes_worn_out",
            "Zygotes replaced because too many of their processes crashed",
            metrics.wear.zygotes.clone(),
        );
        registry.register(
            "function_pauses",
            "Times that a function was paused, because it wore out zygotes in a row",
            metrics.wear.pauses.clone(),
        );
        registry.register("functions", "Functions served", metrics.functions.clone());
        registry.register("memory_bytes", "Memory that is taken, by its use", metrics.memory.clone());
        registry.register("memory_max_bytes", "Memory that may be taken", metrics.memory_max.clone());
        registry.register(
            "ended_for_memory",
            "Requests and responses ended because their clients were slow, or because others needed the memory",
            metrics.ended_for_memory.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections closed at once, because their address already had half of all",
            metrics.connections_refused.clone(),
        );
        registry.register("functions_refused", "Releases that are not served", metrics.refused.clone());
        metrics
    }

    /// All metrics as text. The gauges of functions are read now, from the catalogue and the executors; `memory` is the
    /// usage of each memory.
    pub fn text(&self, catalogue: &Catalogue, executors: &Executors, memory: &[(Use, Usage)]) -> String {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        self.processes.clear();
        self.queued.clear();
        self.spare.clear();
        self.zygotes.clear();
        self.wear.retain(catalogue);
        for function in catalogue.functions() {
            let labels = FunctionLabels { function: function.name() };
            self.processes.get_or_create(&labels).set(count(function.home.limiter.taken()));
            self.queued.get_or_create(&labels).set(count(function.home.limiter.waiting()));
            let stats = executors.stats(function);
            self.spare.get_or_create(&labels).set(count(stats.idle));
            self.zygotes.get_or_create(&labels).set(count(stats.zygotes));
        }
        memory.iter().for_each(|(r#use, usage)| self.set_memory(*r#use, usage));
        self.functions.set(count(catalogue.functions().count()));
        self.refused.set(count(catalogue.rejected().len()));
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes every write");
        text
    }

    fn set_memory(&self, r#use: Use, usage: &Usage) {
        let (all, small) = match r#use {
            Use::Requests => ("requests", "small requests"),
            Use::Responses => ("responses", "small responses"),
        };
        let set = |family: &Family<MemoryLabels, Gauge>, r#use, bytes| {
            family.get_or_create(&MemoryLabels { r#use }).set(count(bytes));
        };
        set(&self.memory, all, usage.large_bytes);
        set(&self.memory, small, usage.small_bytes);
        set(&self.memory_max, all, usage.bytes_max);
        for (reason, total) in [("evicted", usage.evictions), ("slow", usage.slow)] {
            let counter = self.ended_for_memory.get_or_create(&EndedLabels { r#use: all, reason });
            // Safe: only one printing at a time changes it.
            counter.inc_by(total - counter.get());
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
