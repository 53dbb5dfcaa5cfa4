//! The executor `rewind` beside `fork` and `wasmtime serve`, for each [`workload`]; and the [`counts`] of what became of
//! its processes.

pub mod workload;

pub mod counts;

use crate::build::Build;
use crate::compile::{CompileError, Product, compile};
use crate::function::Function;
use crate::goals::Measured;
use crate::host::{Host, HostError};
use crate::peers::{PeerError, wasmtime};
use crate::program::Program;
use crate::ratios::{self, Row};
use crate::rounds::measure;
use crate::setup::{Execution, Setup};
use crate::target::{Interval, MeasureError, Target};
use counts::RewindCounts;
use std::time::Duration;
use workload::{TOUCHED_MIB, WORKLOADS, Workload};

/// What to measure, and for how long.
#[derive(Debug, Clone)]
pub struct RewindRun {
    /// Host, runner and modules.
    pub build: Build,
    /// How many intervals each target is measured for.
    pub rounds: usize,
    /// The length of an interval.
    pub duration: Duration,
}

/// The results of a run.
#[derive(Debug, Default)]
pub struct RewindResults {
    /// One for each workload, number of clients and target; ratios are those to `fork`.
    pub rows: Vec<Row>,
    /// One for each function.
    pub counts: Vec<RewindCounts>,
}

/// The executor can't be measured.
#[derive(Debug, thiserror::Error)]
pub enum RewindRunError {
    /// The module that touches memory can't be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A host can't be started, or not be asked for its metrics.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A peer can't be started.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A request failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

/// A host and the name of its targets: equal but for the executor, and for a runtime for each processor.
struct Measurable {
    name: &'static str,
    is_per_core: bool,
    host: Host,
}

/// The first of them is what the others are compared to.
const HOSTS: [(&str, Execution, bool); 4] = [
    (Execution::FORK.name, Execution::FORK, false),
    (Execution::REWIND.name, Execution::REWIND, false),
    ("fork, per core", Execution::FORK, true),
    ("rewind, per core", Execution::REWIND, true),
];

impl RewindRun {
    /// The functions that must be built before. One more is built for the run.
    pub const FUNCTIONS: [Function; 4] = [Function::HelloC, Function::Hello, Function::Todos, Function::Echo];

    /// Numbers of clients: all that a small machine can do, and the latency of an idle one.
    const CONCURRENCY: [usize; 2] = [16, 1];

    /// Measures every workload. The slices are added to `measured`, for the goals.
    ///
    /// # Errors
    ///
    /// See [`RewindRunError`]. A missing program is no error: what needs it is left out.
    pub fn run(&self, measured: &mut Measured) -> Result<RewindResults, RewindRunError> {
        let workloads = self.workloads()?;
        let hosts = self.start(&workloads)?;
        let mut results = RewindResults::default();
        for workload in &workloads {
            results.rows.extend(self.measure(workload, &hosts, measured)?);
        }
        for Measurable { name, host, .. } in &hosts {
            if *name == Execution::REWIND.name {
                results.counts = counts::read(&host.metrics()?);
            }
        }
        Ok(results)
    }

    /// The workloads that can be measured: one of them needs a C compiler.
    fn workloads(&self) -> Result<Vec<Workload>, CompileError> {
        let mut workloads = WORKLOADS.to_vec();
        match Program::Cc.find() {
            Ok(cc) => {
                compile(&cc, "touch.c", Product::Module, self.build.module(Function::Touch), &[])?;
            }
            Err(missing) => {
                eprintln!("bench: {} is left out: {missing}", workload::ON_LOAD);
                workloads.retain(|workload| workload.function != Function::Touch);
            }
        }
        Ok(workloads)
    }

    fn start(&self, workloads: &[Workload]) -> Result<Vec<Measurable>, HostError> {
        let functions: Vec<Function> = workloads.iter().map(|workload| workload.function).collect();
        let start = |(name, execution, is_per_core)| {
            let strict = Setup::strict(execution, &functions);
            let setup = Setup { touch_mib: TOUCHED_MIB, per_core: is_per_core, ..strict };
            Ok(Measurable { name, is_per_core, host: Host::start(&self.build, setup)? })
        };
        HOSTS.into_iter().map(start).collect()
    }

    /// Measures the targets of one workload alternately.
    fn measure(
        &self,
        workload: &Workload,
        hosts: &[Measurable],
        measured: &mut Measured,
    ) -> Result<Vec<Row>, RewindRunError> {
        let hosts = hosts.iter().filter(|host| workload.is_per_core || !host.is_per_core);
        let pages: Vec<_> = hosts.map(|one| (one.name, workload.page(&one.host, one.name))).collect();
        let peer = workload.wasmtime()?;
        let (mut names, mut targets): (Vec<_>, Vec<&dyn Target>) =
            pages.iter().map(|(name, page)| (*name, page as &dyn Target)).unzip();
        if let Some((_, page)) = &peer {
            names.push(wasmtime::NAME);
            targets.push(page);
        }
        let mut rows = Vec::new();
        for concurrency in Self::CONCURRENCY {
            eprintln!("bench: {concurrency} at a time: {}: {}", workload.name, names.join("; "));
            let interval = Interval { duration: self.duration, concurrency, pause: Duration::ZERO };
            let slices = measure(self.rounds, interval, &targets)?;
            rows.extend(ratios::rows(workload.name, concurrency, &names, &slices));
            let pages: Vec<&str> = targets.iter().map(|target| target.name()).collect();
            measured.add(concurrency, &pages, slices);
        }
        Ok(rows)
    }
}
