//! Gauges of functions, read when they are printed.

use super::gauge::count;
use crate::execute::pool::WorkerStats;
use crate::series::FunctionLabels;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is true of a function now.
#[derive(Debug)]
pub(crate) struct FunctionStats {
    /// `<id>@<version>`
    pub(crate) name: String,
    /// Of its module.
    pub(crate) digest: String,
    pub(crate) processes: usize,
    /// Requests that wait for a permit.
    pub(crate) queued: usize,
    /// Prewarmed processes.
    pub(crate) idle: usize,
    pub(crate) zygotes: usize,
    /// Calls in the host's own process that have passed their deadline.
    pub(crate) overdue: usize,
    /// `None` if it is executed in another way.
    pub(crate) workers: Option<WorkerStats>,
}

#[derive(Debug, Default)]
pub(super) struct FunctionGauges {
    info: Family<InfoLabels, Gauge>,
    processes: Family<FunctionLabels, Gauge>,
    queued: Family<FunctionLabels, Gauge>,
    spare: Family<FunctionLabels, Gauge>,
    zygotes: Family<FunctionLabels, Gauge>,
    overdue: Family<FunctionLabels, Gauge>,
    workers: Family<StateLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    function: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InfoLabels {
    function: String,
    digest: String,
}

impl FunctionGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "function_info",
            "Always 1; the digest names the module's bytes, as sha256sum does",
            self.info.clone(),
        );
        registry.register("processes", "Processes that run or are being ended", self.processes.clone());
        registry.register("queued", "Requests that wait for a process", self.queued.clone());
        registry.register("spare_processes", "Idle processes that wait for requests", self.spare.clone());
        registry.register("zygotes", "Processes that others are forked from", self.zygotes.clone());
        registry.register(
            "overdue_calls",
            "Calls in the host's own process that go on after their deadline",
            self.overdue.clone(),
        );
        registry.register(
            "workers",
            "Workers, by state: starting, idle, busy, or ending",
            self.workers.clone(),
        );
    }

    /// Has gauges of these functions, and of no others.
    pub(super) fn set(&self, functions: &[FunctionStats]) {
        self.info.clear();
        self.workers.clear();
        let families = [&self.processes, &self.queued, &self.spare, &self.zygotes, &self.overdue];
        families.into_iter().for_each(Family::clear);
        for function in functions {
            let FunctionStats { name, digest, processes, queued, idle, zygotes, overdue, workers } = function;
            let info = InfoLabels { function: name.clone(), digest: digest.clone() };
            self.info.get_or_create(&info).set(1);
            let labels = FunctionLabels { function: name.clone() };
            for (family, number) in families.into_iter().zip([processes, queued, idle, zygotes, overdue]) {
                family.get_or_create(&labels).set(count(*number));
            }
            if let Some(workers) = workers {
                self.set_workers(name, workers);
            }
        }
    }

    /// Also where there are none: an alert on a series can't see that it is missing.
    fn set_workers(&self, name: &str, workers: &WorkerStats) {
        let WorkerStats { starting, idle, busy, ending } = workers;
        for (state, number) in [("starting", starting), ("idle", idle), ("busy", busy), ("ending", ending)] {
            let labels = StateLabels { function: name.to_owned(), state };
            self.workers.get_or_create(&labels).set(count(*number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    fn stats(name: &str, workers: Option<WorkerStats>) -> FunctionStats {
        let (name, digest) = (name.to_owned(), String::new());
        FunctionStats { name, digest, processes: 0, queued: 0, idle: 0, zygotes: 0, overdue: 0, workers }
    }

    #[test]
    fn a_function_of_the_worker_executor_has_its_series_also_without_a_worker() {
        let (gauges, mut registry, mut text) =
            (FunctionGauges::default(), Registry::default(), String::new());
        gauges.register(&mut registry);
        gauges.set(&[stats("w@v1", Some(WorkerStats::default())), stats("f@v1", None)]);
        encode(&mut text, &registry).unwrap();
        for state in ["starting", "idle", "busy", "ending"] {
            let line = format!("workers{{function=\"w@v1\",state=\"{state}\"}} 0");
            assert!(text.lines().any(|found| found == line), "{line} is not in: {text}");
        }
        assert!(!text.contains("workers{function=\"f@v1\""), "{text}");
    }
}
