//! Counters of functions whose processes serve request after request and are put back after each.

use super::functions::FunctionStats;
use crate::series::FunctionLabels;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counters of all such functions; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct RewindCounters {
    requests: Family<ResultLabels, Counter>,
    comparisons: Family<FunctionLabels, Counter>,
    differences: Family<FunctionLabels, Counter>,
    fallbacks: Family<ReasonLabels, Counter>,
    /// The functions that have any of them, with the reasons of their fallbacks.
    named: Arc<Mutex<BTreeSet<Named>>>,
}

/// A function, and the reason of a fallback if that is what is counted.
type Named = (String, Option<&'static str>);

/// The counters of one function.
#[derive(Debug, Clone)]
pub(crate) struct FunctionRewinds {
    /// Requests whose process was put back.
    pub(crate) rewound: Counter,
    /// Requests whose process made a call with a lasting effect, and was replaced.
    pub(crate) tainted: Counter,
    /// Requests without a valid response: their process crashed, or was killed.
    pub(crate) failed: Counter,
    /// Requests with a process that was forked for them alone.
    pub(crate) forked: Counter,
    /// Processes that were compared with their snapshot.
    pub(crate) comparisons: Counter,
    /// Those that differed.
    pub(crate) differences: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    function: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    function: String,
    reason: &'static str,
}

const RESULTS: [&str; 4] = ["rewound", "tainted", "failed", "forked"];

impl RewindCounters {
    /// The counters of one function.
    pub(crate) fn of(&self, function: &str) -> FunctionRewinds {
        self.named().insert((function.to_owned(), None));
        let labels = FunctionLabels { function: function.to_owned() };
        let [rewound, tainted, failed, forked] = RESULTS.map(|result| {
            let labels = ResultLabels { function: function.to_owned(), result };
            self.requests.get_or_create(&labels).clone()
        });
        let comparisons = self.comparisons.get_or_create(&labels).clone();
        let differences = self.differences.get_or_create(&labels).clone();
        FunctionRewinds { rewound, tainted, failed, forked, comparisons, differences }
    }

    /// The requests of a function get forked processes from now on, for this reason.
    pub(crate) fn fell_back(&self, function: &str, reason: &'static str) {
        self.named().insert((function.to_owned(), Some(reason)));
        self.fallbacks.get_or_create(&ReasonLabels { function: function.to_owned(), reason }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "rewind_requests",
            "Requests of functions with the executor rewind, by what became of their process",
            self.requests.clone(),
        );
        registry.register(
            "rewind_comparisons",
            "Processes that were compared with their snapshot after they were put back",
            self.comparisons.clone(),
        );
        registry.register(
            "rewind_differences",
            "Those that differed: the function is forked from then on",
            self.differences.clone(),
        );
        registry.register(
            "rewind_fallbacks",
            "Times that a function's requests were switched to forked processes, by reason",
            self.fallbacks.clone(),
        );
    }

    /// Drops the series of all functions but those that are `served`.
    pub(super) fn retain(&self, served: &[FunctionStats]) {
        let served: BTreeSet<&str> = served.iter().map(|function| function.name.as_str()).collect();
        self.named().retain(|(function, reason)| {
            let is_served = served.contains(function.as_str());
            if !is_served {
                self.remove(function, *reason);
            }
            is_served
        });
    }

    fn remove(&self, function: &str, reason: Option<&'static str>) {
        let function = function.to_owned();
        if let Some(reason) = reason {
            self.fallbacks.remove(&ReasonLabels { function, reason });
            return;
        }
        for result in RESULTS {
            self.requests.remove(&ResultLabels { function: function.clone(), result });
        }
        let labels = FunctionLabels { function };
        self.comparisons.remove(&labels);
        self.differences.remove(&labels);
    }

    fn named(&self) -> MutexGuard<'_, BTreeSet<Named>> {
        // Nothing that is done under the lock can panic halfway.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
