//! A run of `make bench`: all targets, measured alternately.

mod goal_groups;

use crate::build::Build;
use crate::function::Function;
use crate::goals::Measured;
use crate::host::HostError;
use crate::memory::{MemoryError, footprint};
use crate::rewind_run::{RewindResults, RewindRun, RewindRunError};
use crate::rounds::measure;
use crate::target::{Interval, MeasureError, Target};
use crate::target_results::{Figures, TargetResult};
use crate::target_specs::{FORK, REWIND, Running, SPAWN, SPAWN_PREWARMED, StartError, TargetSpec, WORKER};
use std::time::Duration;

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct PeersRun {
    /// Host, runner and modules.
    pub build: Build,
    /// The function that the host runs; peers do the same.
    pub function: Function,
    /// The targets.
    pub specs: Vec<TargetSpec>,
    /// Numbers of clients.
    pub concurrency: Vec<usize>,
    /// How many intervals each target is measured for.
    pub rounds: usize,
    /// The length of an interval.
    pub duration: Duration,
}

/// The results of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// One result for each measured target.
    pub results: Vec<TargetResult>,
    /// A line for each target that was left out, with the missing program.
    pub left_out: Vec<String>,
    /// The measurements for the goals.
    pub measured: Measured,
    /// `rewind` beside `fork`, if both were measured.
    pub rewind: Option<RewindResults>,
}

/// A run failed.
#[derive(Debug, thiserror::Error)]
pub enum PeersRunError {
    /// A target can't be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A host for the goals can't be started.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A request failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The comparison of `rewind` failed.
    #[error(transparent)]
    Rewind(#[from] RewindRunError),
    /// A target's memory can't be measured.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl PeersRun {
    /// Measures everything.
    ///
    /// # Errors
    ///
    /// See [`PeersRunError`]. A missing program is no error.
    pub fn run(&self) -> Result<Outcome, PeersRunError> {
        let mut outcome = Outcome::default();
        self.measure_memory(&mut outcome)?;
        self.measure_requests(&mut outcome)?;
        let is_measured = |name| outcome.results.iter().any(|result| result.spec.name == name);
        if [FORK, REWIND].into_iter().all(is_measured) {
            let run = RewindRun { build: self.build.clone(), rounds: self.rounds, duration: self.duration };
            outcome.rewind = Some(run.run(&mut outcome.measured)?);
        }
        if is_measured(FORK) {
            goal_groups::fork(self, &mut outcome.measured)?;
        }
        if is_measured(WORKER) {
            goal_groups::database(self, &mut outcome.measured)?;
        }
        if [SPAWN, SPAWN_PREWARMED].into_iter().all(is_measured) {
            goal_groups::pauses(self, &mut outcome.measured)?;
        }
        Ok(outcome)
    }

    /// Measures the memory of each target alone, and leaves out those that aren't installed.
    fn measure_memory(&self, outcome: &mut Outcome) -> Result<(), PeersRunError> {
        for &spec in &self.specs {
            eprintln!("bench: memory of `{}`", spec.name);
            match footprint(&spec, &self.build, self.function) {
                Ok(footprint) => {
                    outcome.results.push(TargetResult { spec, footprint, figures: Vec::new() });
                }
                Err(MemoryError::Start(error)) if error.missing().is_some() => {
                    let left_out = format!("`{}` is left out: {error}", spec.name);
                    eprintln!("bench: {left_out}");
                    outcome.left_out.push(left_out);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Measures the requests of all targets alternately.
    fn measure_requests(&self, outcome: &mut Outcome) -> Result<(), PeersRunError> {
        let start = |result: &TargetResult| result.spec.start(&self.build, self.function, 0);
        let running = outcome.results.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let targets: Vec<&dyn Target> = running.iter().map(Running::target).collect();
        for &concurrency in &self.concurrency {
            self.group(concurrency, Duration::ZERO, &targets, &mut outcome.measured)?;
            for result in &mut outcome.results {
                let slices = outcome.measured.get(result.spec.name, concurrency).unwrap_or_default();
                result.figures.push(Figures::new(concurrency, slices));
            }
        }
        Ok(())
    }

    /// Measures a group of targets alternately.
    ///
    /// # Errors
    ///
    /// The first request that failed.
    pub(crate) fn group(
        &self,
        concurrency: usize,
        pause: Duration,
        targets: &[&dyn Target],
        measured: &mut Measured,
    ) -> Result<(), MeasureError> {
        let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();
        eprintln!("bench: {concurrency} at a time: {}", names.join("; "));
        let interval = Interval { duration: self.duration, concurrency, pause };
        let slices = measure(self.rounds, interval, targets)?;
        measured.add(concurrency, &names, slices);
        Ok(())
    }
}
