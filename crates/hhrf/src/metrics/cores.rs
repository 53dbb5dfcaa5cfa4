//! Counters of the processors, each of which has a runtime (`--per-core`).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters by processor; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct CoreCounters(Family<CoreLabels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CoreLabels {
    cpu: u64,
}

impl CoreCounters {
    /// The requests that the processor of this number has executed.
    pub(crate) fn of(&self, processor: usize) -> Counter {
        self.0.get_or_create_owned(&CoreLabels { cpu: processor as u64 })
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("core_requests", "Requests by processor, with --per-core", self.0.clone());
    }
}
