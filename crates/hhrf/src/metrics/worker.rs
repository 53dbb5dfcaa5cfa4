//! Counters of workers.

use super::functions::FunctionStats;
use crate::series::FunctionLabels;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counters of workers; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerCounters {
    starts: Family<FunctionLabels, Counter>,
    ends: Family<EndLabels, Counter>,
    lost: Family<FunctionLabels, Counter>,
    /// The functions that have counters, with the reasons of their workers' ends.
    named: Arc<Mutex<BTreeMap<String, BTreeSet<&'static str>>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    function: String,
    reason: &'static str,
}

impl WorkerCounters {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("worker_starts", "Workers started", self.starts.clone());
        registry.register("worker_ends", "Workers ended, by reason", self.ends.clone());
        registry.register(
            "worker_requests_lost",
            "Requests that a worker had when it ended, and that failed with it",
            self.lost.clone(),
        );
    }

    /// A worker was started.
    pub(crate) fn started(&self, function: &str) {
        self.named().entry(function.to_owned()).or_default();
        self.starts.get_or_create(&labels(function)).inc();
    }

    /// A worker has ended, with so many requests.
    pub(crate) fn ended(&self, function: &str, reason: &'static str, requests_lost: usize) {
        self.named().entry(function.to_owned()).or_default().insert(reason);
        self.ends.get_or_create(&EndLabels { function: function.to_owned(), reason }).inc();
        self.lost.get_or_create(&labels(function)).inc_by(requests_lost as u64);
    }

    /// Drops the series of all functions but those that are `served`.
    pub(super) fn retain(&self, served: &[FunctionStats]) {
        let served: BTreeSet<&str> = served.iter().map(|function| function.name.as_str()).collect();
        self.named().retain(|name, reasons| {
            let is_served = served.contains(name.as_str());
            if !is_served {
                self.starts.remove(&labels(name));
                self.lost.remove(&labels(name));
                for reason in reasons.iter() {
                    self.ends.remove(&EndLabels { function: name.clone(), reason });
                }
            }
            is_served
        });
    }

    fn named(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<&'static str>>> {
        // Nothing that is done under the lock can panic halfway.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn labels(function: &str) -> FunctionLabels {
    FunctionLabels { function: function.to_owned() }
}
