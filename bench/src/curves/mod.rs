//! How the cost of a request grows with the number of functions ([`registered`]), with the body ([`bodies`]), with the
//! module's memory ([`on_load`]) and with the memory that a request writes to ([`dirty`]); and the cost of the first
//! request ([`cold`]).

pub mod registered;

pub mod bodies;

pub mod on_load;

pub mod dirty;

pub mod cold;

use crate::build::Build;
use crate::compile::CompileError;
use crate::host::HostError;
use crate::http::Page;
use crate::memory::Memory;
use crate::plots::lines::Chart;
use crate::program::MissingProgram;
use crate::rounds::measure;
use crate::setup::Execution;
use crate::table::Table;
use crate::target::{Interval, MeasureError, Target};
use crate::target_results::{Figures, megabytes, milliseconds};
use std::time::Duration;

/// What to measure, and for how long.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Host, runner and modules.
    pub build: Build,
    /// How many intervals each step is measured for.
    pub rounds: usize,
    /// The length of an interval.
    pub duration: Duration,
    /// How many hosts are started, for the first request to each.
    pub starts: usize,
}

/// The executors that are measured, but in [`dirty`].
const EXECUTIONS: [Execution; 2] = [Execution::FORK, Execution::SPAWN];

/// One quantity and its effect on each executor.
#[derive(Debug, Clone)]
pub struct Curve {
    /// The quantity, in words.
    pub title: &'static str,
    /// The quantity, as a heading.
    pub step: &'static str,
    /// In ascending order, for one executor after the other.
    pub points: Vec<Point>,
}

/// One executor at one step.
#[derive(Debug, Clone)]
pub struct Point {
    /// Which executor.
    pub executor: &'static str,
    /// The quantity's value.
    pub step: String,
    /// The measured figures.
    pub figures: Figures,
    /// The host's memory before its first request, if measured.
    pub idle: Option<Memory>,
    /// The share of requests whose process was put back, if the executor does so.
    pub rewound: Option<f64>,
}

/// The measurement of one point.
struct Sample {
    executor: &'static str,
    step: String,
    page: Page,
    idle: Option<Memory>,
}

/// A curve can't be measured.
#[derive(Debug, thiserror::Error)]
pub enum CurveError {
    /// The module that touches memory can't be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// There is no compiler.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// The host can't be started.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A request failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

impl Plan {
    /// Clients at a time: enough to keep both processors of a small machine busy.
    pub const CONCURRENCY: usize = 16;

    /// Measures the samples alternately, so that other load on the machine affects all of them alike.
    fn measure(&self, samples: Vec<Sample>) -> Result<Vec<Point>, MeasureError> {
        let targets: Vec<&dyn Target> = samples.iter().map(|sample| &sample.page as &dyn Target).collect();
        let interval =
            Interval { duration: self.duration, concurrency: Self::CONCURRENCY, pause: Duration::ZERO };
        let slices = measure(self.rounds, interval, &targets)?;
        let point = |(sample, slices): (Sample, Vec<_>)| Point {
            executor: sample.executor,
            step: sample.step,
            figures: Figures::new(Self::CONCURRENCY, &slices),
            idle: sample.idle,
            rewound: None,
        };
        Ok(samples.into_iter().zip(slices).map(point).collect())
    }
}

impl Curve {
    /// The points as a table, one line each.
    pub fn table(&self) -> Table {
        let mut headings = vec!["executor", self.step, "req/s", "spread", "p50 ms", "p99 ms"];
        if self.points.iter().any(|point| point.idle.is_some()) {
            headings.extend(["MB idle", "processes"]);
        }
        let counts_rewinds = self.points.iter().any(|point| point.rewound.is_some());
        headings.extend(counts_rewinds.then_some("rewound"));
        let headings = headings.into_iter().map(str::to_owned).collect();
        let line = |point| [line(point), Vec::from_iter(counts_rewinds.then(|| rewound(point)))].concat();
        Table { headings, words: 1, lines: self.points.iter().map(line).collect() }
    }

    /// The points as lines of requests per second, one for each executor.
    pub fn chart(&self) -> Chart {
        let executors: Vec<&[Point]> =
            self.points.chunk_by(|one, next| one.executor == next.executor).collect();
        let value = |point: &Point| Some(point.figures.requests_per_second);
        let series = |points: &&[Point]| (points[0].executor.to_owned(), points.iter().map(value).collect());
        let steps = executors.first().into_iter().flat_map(|points| points.iter());
        Chart {
            title: format!("Requests/s against {}", self.title),
            steps: steps.map(|point| point.step.clone()).collect(),
            series: executors.iter().map(series).collect(),
        }
    }
}

fn line(point: &Point) -> Vec<String> {
    let Point { executor, step, figures, idle, .. } = point;
    let mut cells = vec![
        (*executor).to_owned(),
        step.clone(),
        format!("{:.0}", figures.requests_per_second),
        format!("{:.0} %", figures.spread_percent),
        milliseconds(figures.p50),
        milliseconds(figures.p99),
    ];
    if let Some(idle) = idle {
        cells.extend([megabytes(idle.bytes), idle.processes.to_string()]);
    }
    cells
}

/// The share, or a dash for an executor that puts nothing back.
fn rewound(point: &Point) -> String {
    point.rewound.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(executor: &'static str, step: &str, rewound: Option<f64>) -> Point {
        let figures = Figures::new(Plan::CONCURRENCY, &[]);
        Point { executor, step: step.to_owned(), figures, idle: None, rewound }
    }

    #[test]
    fn each_executor_is_a_line_over_the_same_steps() {
        let points = vec![
            point("fork", "0", None),
            point("fork", "1", None),
            point("rewind", "0", Some(0.5)),
            point("rewind", "1", None),
        ];
        let curve = Curve { title: "pages", step: "pages", points };
        let chart = curve.chart();
        assert_eq!(chart.steps, ["0", "1"]);
        let lines: Vec<(&str, usize)> =
            chart.series.iter().map(|(name, values)| (name.as_str(), values.len())).collect();
        assert_eq!(lines, [("fork", 2), ("rewind", 2)]);
        let shares: Vec<_> =
            curve.table().lines.into_iter().filter_map(|line| line.last().cloned()).collect();
        assert_eq!(shares, ["-", "-", "50.0 %", "-"]);
    }
}
