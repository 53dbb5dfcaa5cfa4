//! The time series of functions. A function's series are kept while it is served or has a request, so that their number
//! follows what is deployed now: its home and each of its requests hold a [`Recording`].

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counters of ended requests, by function.
#[derive(Debug)]
pub(crate) struct Series {
    requests: Family<RequestLabels, Counter>,
    /// From head to response.
    durations: Family<FunctionLabels, Histogram, fn() -> Histogram>,
    /// Those that have a recording.
    functions: Mutex<HashMap<String, Recorded>>,
}

/// A function's name, status and problem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    function: String,
    status: u16,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct FunctionLabels {
    /// `<id>@<version>`.
    pub function: String,
}

#[derive(Debug, Default)]
struct Recorded {
    recordings: usize,
    outcomes: HashSet<(u16, &'static str)>,
}

/// A function's series, which are dropped with the last recording. A request holds one until it has ended, so that
/// recording its end can't bring back series that were dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    series: Arc<Series>,
    function: String,
}

impl Series {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: Family::default(),
            // 0.25 ms to 16 s: from a forked process that does nothing to the usual deadlines.
            durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.00025, 2.0, 17))),
            functions: Mutex::default(),
        })
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests ended, by their status and problem", self.requests.clone());
        registry.register("request_duration_seconds", "From head to response", self.durations.clone());
    }

    /// Begins to record a function, `<id>@<version>`.
    pub(crate) fn begin(self: &Arc<Self>, function: String) -> Recording {
        self.lock().entry(function.clone()).or_default().recordings += 1;
        Recording { series: Arc::clone(self), function }
    }

    /// Counts a request that led to no function.
    pub(crate) fn record_without_function(&self, status: u16, kind: &'static str, duration: Duration) {
        self.count("", status, kind, duration);
    }

    fn end(&self, function: &str) {
        let mut functions = self.lock();
        let Some(recorded) = functions.get_mut(function) else { return };
        recorded.recordings -= 1;
        if recorded.recordings == 0 {
            self.remove(function, &recorded.outcomes);
            functions.remove(function);
        }
    }

    fn count(&self, function: &str, status: u16, kind: &'static str, duration: Duration) {
        let labels = RequestLabels { function: function.to_owned(), status, kind };
        self.requests.get_or_create(&labels).inc();
        let labels = FunctionLabels { function: labels.function };
        self.durations.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    fn remove(&self, function: &str, outcomes: &HashSet<(u16, &'static str)>) {
        for (status, kind) in outcomes {
            self.requests.remove(&RequestLabels { function: function.to_owned(), status: *status, kind });
        }
        self.durations.remove(&FunctionLabels { function: function.to_owned() });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Recorded>> {
        // Nothing that is done under the lock can panic halfway.
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    pub(crate) fn record(&self, status: u16, kind: &'static str, duration: Duration) {
        if let Some(recorded) = self.series.lock().get_mut(&self.function) {
            recorded.outcomes.insert((status, kind));
        }
        self.series.count(&self.function, status, kind, duration);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.series.end(&self.function);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(series: &Series) -> usize {
        use prometheus_client::encoding::text::encode;
        let mut registry = Registry::default();
        series.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| line.contains("function=\"f@v1\"")).count()
    }

    #[test]
    fn a_request_that_ends_after_its_function_was_removed_leaves_no_series() {
        let series = Series::new();
        let (home, request) = (series.begin("f@v1".to_owned()), series.begin("f@v1".to_owned()));
        request.record(200, "", Duration::ZERO);
        drop(request);
        assert!(count(&series) > 0, "it is served");
        let late = series.begin("f@v1".to_owned());
        drop(home);
        late.record(500, "function_panicked", Duration::ZERO);
        assert!(count(&series) > 0, "its last request runs");
        drop(late);
        assert_eq!(count(&series), 0);
        // A request that took the function from the old catalogue and begins only now.
        let later = series.begin("f@v1".to_owned());
        later.record(200, "", Duration::ZERO);
        drop(later);
        assert_eq!(count(&series), 0);
    }
}
