//! How the price of a request grows: with the functions registered ([`registered`]), with the body ([`bodies`]), with
//! what the module holds in memory ([`on_load`]); and what the very first one costs ([`cold`]).

pub mod registered;

pub mod bodies;

pub mod on_load;

pub mod cold;

use crate::build::Build;
use crate::compile::CompileError;
use crate::contender::{Contender, ContenderError, Turn};
use crate::host::HostError;
use crate::http::Page;
use crate::memory::Memory;
use crate::plots::lines::Chart;
use crate::program::MissingProgram;
use crate::rounds::measure;
use crate::setup::Execution;
use crate::standings::{Figures, megabytes, milliseconds};
use crate::table::Table;
use std::time::Duration;

/// How long to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Host, runner and modules.
    pub build: Build,
    /// How often each step has its turn.
    pub rounds: usize,
    /// How long a turn is.
    pub duration: Duration,
    /// How often a host is started, for the first request to it.
    pub starts: usize,
}

/// The executors whose price grows.
const EXECUTIONS: [Execution; 2] = [Execution::FORK, Execution::SPAWN];

/// One quantity, and what it does to each executor.
#[derive(Debug, Clone)]
pub struct Curve {
    /// What grows, in words.
    pub title: &'static str,
    /// What grows, as a heading.
    pub step: &'static str,
    /// In the order of its growth, for one executor after the other.
    pub points: Vec<Point>,
}

/// One executor at one step.
#[derive(Debug, Clone)]
pub struct Point {
    /// Which executor.
    pub executor: &'static str,
    /// How much of what grows.
    pub step: String,
    /// What it did.
    pub figures: Figures,
    /// What the host took before its first request, where that is of interest.
    pub idle: Option<Memory>,
}

/// What is to be measured at one point.
struct Sample {
    executor: &'static str,
    step: String,
    page: Page,
    idle: Option<Memory>,
}

/// Why there is no curve.
#[derive(Debug, thiserror::Error)]
pub enum CurveError {
    /// The module that touches memory can't be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// For want of a compiler.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// There is no host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// It doesn't answer.
    #[error(transparent)]
    Contender(#[from] ContenderError),
}

impl Plan {
    /// Clients at a time: enough to keep both processors of a small machine busy.
    pub const CONCURRENCY: usize = 16;

    /// Measures the samples together, so that what else the machine does meets all of them alike.
    fn measure(&self, samples: Vec<Sample>) -> Result<Vec<Point>, ContenderError> {
        let contenders: Vec<&dyn Contender> =
            samples.iter().map(|sample| &sample.page as &dyn Contender).collect();
        let turn = Turn { duration: self.duration, concurrency: Self::CONCURRENCY, pause: Duration::ZERO };
        let slices = measure(self.rounds, turn, &contenders)?;
        let point = |(sample, slices): (Sample, Vec<_>)| Point {
            executor: sample.executor,
            step: sample.step,
            figures: Figures::new(Self::CONCURRENCY, &slices),
            idle: sample.idle,
        };
        Ok(samples.into_iter().zip(slices).map(point).collect())
    }
}

impl Curve {
    /// The points, a line each.
    pub fn table(&self) -> Table {
        let mut headings = vec!["executor", self.step, "req/s", "spread", "p50 ms", "p99 ms"];
        if self.points.iter().any(|point| point.idle.is_some()) {
            headings.extend(["MB idle", "processes"]);
        }
        let headings = headings.into_iter().map(str::to_owned).collect();
        Table { headings, words: 1, lines: self.points.iter().map(line).collect() }
    }

    /// The points as lines of requests per second, one for each executor.
    pub fn chart(&self) -> Chart {
        let of =
            |execution: Execution| self.points.iter().filter(move |point| point.executor == execution.name);
        let value = |point: &Point| Some(point.figures.requests_per_second);
        let series = |execution: Execution| (execution.name.to_owned(), of(execution).map(value).collect());
        Chart {
            title: format!("Requests/s against {}", self.title),
            steps: of(EXECUTIONS[0]).map(|point| point.step.clone()).collect(),
            series: EXECUTIONS.map(series).into(),
        }
    }
}

fn line(point: &Point) -> Vec<String> {
    let Point { executor, step, figures, idle } = point;
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
