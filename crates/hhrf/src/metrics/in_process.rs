//! Metrics of modules in the host's own process.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Modules in the host's own process; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct InProcessMetrics {
    mapped: Gauge,
    loads: Counter,
    unloads: Family<UnloadLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UnloadLabels {
    reason: &'static str,
    result: &'static str,
}

impl InProcessMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "modules_mapped",
            "Modules that are mapped into the host's process, evicted and replaced ones among them",
            self.mapped.clone(),
        );
        registry.register("module_loads", "Modules loaded into the host's process", self.loads.clone());
        registry.register(
            "module_unloads",
            "Modules of the host's process that were evicted or replaced, and what became of them",
            self.unloads.clone(),
        );
    }

    /// So many modules more, or fewer, are mapped.
    pub(crate) fn map(&self, modules: i64) {
        self.mapped.inc_by(modules);
    }

    /// How many modules are mapped.
    pub(crate) fn mapped(&self) -> usize {
        usize::try_from(self.mapped.get()).unwrap_or_default()
    }

    /// A module was loaded.
    pub(crate) fn loaded(&self) {
        self.loads.inc();
    }

    /// A module was unloaded, for that reason, and is now `kept`, `unmapped`, or `still_mapped`.
    pub(crate) fn unloaded(&self, reason: &'static str, result: &'static str) {
        self.unloads.get_or_create(&UnloadLabels { reason, result }).inc();
    }
}
