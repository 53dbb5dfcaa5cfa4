//! Counters of functions whose processes keep crashing.

use super::functions::FunctionStats;
use crate::series::FunctionLabels;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "zygotes_worn_out",
            "Zygotes replaced because too many of their processes crashed",
            self.zygotes.clone(),
        );
        registry.register(
            "function_pauses",
            "Times that a function was paused, because it wore out zygotes in a row",
            self.pauses.clone(),
        );
    }

    fn count(&self, family: &Family<FunctionLabels, Counter>, function: &str) {
        self.named().insert(function.to_owned());
        family.get_or_create(&FunctionLabels { function: function.to_owned() }).inc();
    }

    /// Drops the series of all functions but those that are `served`.
    pub(super) fn retain(&self, served: &[FunctionStats]) {
        let served: BTreeSet<&str> = served.iter().map(|function| function.name.as_str()).collect();
        self.named().retain(|name| {
            let is_served = served.contains(name.as_str());
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
