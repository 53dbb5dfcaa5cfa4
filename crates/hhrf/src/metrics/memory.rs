//! Metrics of the host's memory, read when they are printed.

use super::gauge::count;
use crate::memory::{Usage, Use};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is taken of each memory, and what it took to keep it within its budget.
#[derive(Debug, Default)]
pub(super) struct MemoryMetrics {
    taken: Family<MemoryLabels, Gauge>,
    budget: Family<MemoryLabels, Gauge>,
    ended: Family<EndedLabels, Counter>,
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

impl MemoryMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("memory_bytes", "Memory that is taken, by its use", self.taken.clone());
        registry.register("memory_max_bytes", "Memory that may be taken", self.budget.clone());
        registry.register(
            "ended_for_memory",
            "Requests and responses ended because their clients were slow, or because others needed the memory",
            self.ended.clone(),
        );
    }

    /// Only one task at a time may set them.
    pub(super) fn set(&self, r#use: Use, usage: &Usage) {
        let (large, small) = match r#use {
            Use::Requests => ("requests", "small requests"),
            Use::Responses => ("responses", "small responses"),
        };
        let set = |family: &Family<MemoryLabels, Gauge>, r#use, bytes| {
            family.get_or_create(&MemoryLabels { r#use }).set(count(bytes));
        };
        set(&self.taken, large, usage.large_bytes);
        set(&self.taken, small, usage.small_bytes);
        set(&self.budget, large, usage.bytes_max);
        for (reason, total) in [("evicted", usage.evictions), ("slow", usage.slow)] {
            let counter = self.ended.get_or_create(&EndedLabels { r#use: large, reason });
            counter.inc_by(total - counter.get());
        }
    }
}
