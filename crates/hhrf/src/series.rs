//! The time series of functions. A function's series are kept while it is served or has a request, so that their number
//! follows what is deployed now.

use crate::catalogue::Catalogue;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counters of ended requests, by function.
#[derive(Debug)]
pub struct Series {
    /// Ended requests.
    pub requests: Family<RequestLabels, Counter>,
    /// From head to response.
    pub durations: Family<FunctionLabels, Histogram, fn() -> Histogram>,
    functions: Mutex<Functions>,
}

/// A function's name, status and problem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    function: String,
    status: u16,
    kind: &'static str,
}

/// A function's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FunctionLabels {
    /// `<id>@<version>`.
    pub function: String,
}

#[derive(Debug, Default)]
struct Functions {
    /// The names that the newest catalogue serves.
    served: HashSet<String>,
    /// The functions that have series.
    called: HashMap<String, Called>,
}

#[derive(Debug, Default)]
struct Called {
    in_flight: usize,
    outcomes: HashSet<(u16, &'static str)>,
}

/// A request of a function. It keeps the function's series alive, so that recording its end can't bring back series
/// that were dropped.
#[derive(Debug)]
pub struct Recording {
    series: Arc<Series>,
    function: String,
}

impl Series {
    /// Without any series.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: Family::default(),
            // 0.25 ms to 16 s: from a forked process that does nothing to the usual deadlines.
            durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.00025, 2.0, 17))),
            functions: Mutex::default(),
        })
    }

    /// Begins a request of a function.
    pub fn begin(self: &Arc<Self>, function: String) -> Recording {
        self.lock().called.entry(function.clone()).or_default().in_flight += 1;
        Recording { series: Arc::clone(self), function }
    }

    /// Counts a request that led to no function.
    pub fn record_without_function(&self, status: u16, kind: &'static str, duration: Duration) {
        self.count("", status, kind, duration);
    }

    /// Sets the functions that are served from now on, and drops the series of others that have no request. Must be
    /// called before requests see that catalogue: a request of an unknown name drops the name's series when it ends.
    pub fn serve(&self, catalogue: &Catalogue) {
        let mut functions = self.lock();
        functions.served = catalogue.functions().map(|function| function.name()).collect();
        let Functions { served, called } = &mut *functions;
        called.retain(|name, called| {
            let is_needed = called.in_flight > 0 || served.contains(name);
            if !is_needed {
                self.remove(name, &called.outcomes);
            }
            is_needed
        });
    }

    fn end(&self, function: &str) {
        let mut functions = self.lock();
        let is_served = functions.served.contains(function);
        let Some(called) = functions.called.get_mut(function) else { return };
        called.in_flight -= 1;
        if called.in_flight == 0 && !is_served {
            self.remove(function, &called.outcomes);
            functions.called.remove(function);
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

    fn lock(&self) -> MutexGuard<'_, Functions> {
        // Nothing that is done under the lock can panic halfway.
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    /// The function's name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Counts the request's end.
    pub fn record(&self, status: u16, kind: &'static str, duration: Duration) {
        if let Some(called) = self.series.lock().called.get_mut(&self.function) {
            called.outcomes.insert((status, kind));
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
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("requests", "-", series.requests.clone());
        registry.register("durations", "-", series.durations.clone());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text.lines().filter(|line| line.contains("function=\"f@v1\"")).count()
    }

    #[test]
    fn a_request_that_ends_after_its_function_was_removed_leaves_no_series() {
        let series = Series::new();
        let (early, late) = (series.begin("f@v1".to_owned()), series.begin("f@v1".to_owned()));
        early.record(200, "", Duration::ZERO);
        drop(early);
        assert!(count(&series) > 0);
        series.serve(&Catalogue::default());
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
