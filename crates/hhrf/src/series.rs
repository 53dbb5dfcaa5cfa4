//! The time series of functions. A function's series are kept while it is served or has a request, so that their number
//! follows what is deployed now: its home and each of its requests hold a [`Recording`].

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Counters of ended requests, by function.
#[derive(Debug)]
pub(crate) struct Series {
    requests: Family<RequestLabels, Counter>,
    /// From head to response.
    durations: Family<FunctionLabels, Histogram, fn() -> Histogram>,
    /// Those that have a recording.
    functions: Mutex<HashMap<String, Arc<Recorded>>>,
    /// Those of requests that led to no function.
    without_function: Recorded,
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

/// One function's series, made when it first has something to count. They are kept here, so that a request looks none up
/// by its labels.
#[derive(Debug, Default)]
struct Recorded {
    function: String,
    recordings: AtomicUsize,
    duration: OnceLock<Histogram>,
    /// By status and problem.
    outcomes: Mutex<BTreeMap<(u16, &'static str), Counter>>,
}

/// A function's series, which are dropped with the last recording. A request holds one until it has ended, so that
/// recording its end can't bring back series that were dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    series: Arc<Series>,
    of: Arc<Recorded>,
}

impl Series {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: Family::default(),
            // 0.25 ms to 16 s: from a forked process that does nothing to the usual deadlines.
            durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.00025, 2.0, 17))),
            functions: Mutex::default(),
            without_function: Recorded::default(),
        })
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests ended, by their status and problem", self.requests.clone());
        registry.register("request_duration_seconds", "From head to response", self.durations.clone());
    }

    /// Begins to record a function, `<id>@<version>`.
    pub(crate) fn begin(self: &Arc<Self>, function: &str) -> Recording {
        let mut functions = self.lock();
        let of = match functions.get(function) {
            Some(of) => Arc::clone(of),
            None => {
                let of = Arc::new(Recorded { function: function.to_owned(), ..Recorded::default() });
                functions.insert(function.to_owned(), Arc::clone(&of));
                of
            }
        };
        of.recordings.fetch_add(1, Ordering::Relaxed);
        Recording { series: Arc::clone(self), of }
    }

    /// Counts a request that led to no function.
    pub(crate) fn record_without_function(&self, status: u16, kind: &'static str, duration: Duration) {
        self.count(&self.without_function, status, kind, duration);
    }

    fn count(&self, of: &Recorded, status: u16, kind: &'static str, duration: Duration) {
        let outcome = || {
            let labels = RequestLabels { function: of.function.clone(), status, kind };
            self.requests.get_or_create_owned(&labels)
        };
        of.outcomes().entry((status, kind)).or_insert_with(outcome).inc();
        let histogram = || self.durations.get_or_create_owned(&of.labels());
        of.duration.get_or_init(histogram).observe(duration.as_secs_f64());
    }

    /// Removes a function's series, unless another recording has begun meanwhile, or has ended and removed them.
    fn end(&self, of: &Arc<Recorded>) {
        let mut functions = self.lock();
        let is_current = functions.get(&of.function).is_some_and(|current| Arc::ptr_eq(current, of));
        if !is_current || of.recordings.load(Ordering::Relaxed) > 0 {
            return;
        }
        functions.remove(&of.function);
        for (status, kind) in of.outcomes().keys() {
            self.requests.remove(&RequestLabels { function: of.function.clone(), status: *status, kind });
        }
        self.durations.remove(&of.labels());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Recorded>>> {
        // Nothing that is done under the lock can panic halfway.
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    fn labels(&self) -> FunctionLabels {
        FunctionLabels { function: self.function.clone() }
    }

    fn outcomes(&self) -> MutexGuard<'_, BTreeMap<(u16, &'static str), Counter>> {
        // Nothing that is done under the lock can panic halfway.
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording {
    pub(crate) fn function(&self) -> &str {
        &self.of.function
    }

    pub(crate) fn record(&self, status: u16, kind: &'static str, duration: Duration) {
        self.series.count(&self.of, status, kind, duration);
    }
}

impl Clone for Recording {
    /// Begins another one of the same function, without a look at the others.
    fn clone(&self) -> Self {
        self.of.recordings.fetch_add(1, Ordering::Relaxed);
        Self { series: Arc::clone(&self.series), of: Arc::clone(&self.of) }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // As Arc does it: what others have counted before is seen by the one that removes it.
        if self.of.recordings.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.series.end(&self.of);
        }
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
        let (home, request) = (series.begin("f@v1"), series.begin("f@v1"));
        request.record(200, "", Duration::ZERO);
        drop(request);
        assert!(count(&series) > 0, "it is served");
        let late = series.begin("f@v1");
        drop(home);
        late.record(500, "function_panicked", Duration::ZERO);
        assert!(count(&series) > 0, "its last request runs");
        drop(late);
        assert_eq!(count(&series), 0);
        // A request that took the function from the old catalogue and begins only now.
        let later = series.begin("f@v1");
        later.record(200, "", Duration::ZERO);
        drop(later);
        assert_eq!(count(&series), 0);
    }

    #[test]
    fn a_recording_that_begins_while_the_last_one_ends_keeps_the_series() {
        let series = Series::new();
        let last = series.begin("f@v1");
        last.record(200, "", Duration::ZERO);
        // As its drop does, up to the removal.
        last.of.recordings.fetch_sub(1, Ordering::AcqRel);
        let next = series.begin("f@v1");
        series.end(&last.of);
        next.record(200, "", Duration::ZERO);
        assert!(count(&series) > 0, "the next one has counted");
        last.of.recordings.fetch_add(1, Ordering::AcqRel);
        drop((last, next));
        assert_eq!(count(&series), 0);
    }
}
