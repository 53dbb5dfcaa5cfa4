//! A run of `make bench`: the entrants, measured one beside the other.

use crate::build::Build;
use crate::contender::{Contender, ContenderError, Turn};
use crate::entrants::{Entrant, EntrantError, FORK, Running, SPAWN, SPAWN_AHEAD};
use crate::function::Function;
use crate::host::HostError;
use crate::memory::{MemoryError, footprint};
use crate::rounds::measure;
use crate::standings::{Figures, Standing};
use crate::targets::Measured;
use crate::trials;
use std::time::Duration;

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Race {
    /// Host, runner and modules.
    pub build: Build,
    /// What ours run, and peers do likewise.
    pub function: Function,
    /// Who takes part.
    pub entrants: Vec<Entrant>,
    /// Numbers of clients.
    pub concurrency: Vec<usize>,
    /// How often each has its turn.
    pub rounds: usize,
    /// How long a turn is.
    pub duration: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Those that were measured.
    pub standings: Vec<Standing>,
    /// Those that weren't, and what is missing, a line each.
    pub left_out: Vec<String>,
    /// What the targets are judged by.
    pub measured: Measured,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum RaceError {
    /// An entrant doesn't run.
    #[error(transparent)]
    Entrant(#[from] EntrantError),
    /// A host for the targets alone doesn't run.
    #[error(transparent)]
    Host(#[from] HostError),
    /// One doesn't answer.
    #[error(transparent)]
    Contender(#[from] ContenderError),
    /// One doesn't run, or doesn't answer, when its memory is looked at.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Race {
    /// Measures everything.
    ///
    /// # Errors
    ///
    /// See [`RaceError`]. What isn't installed is no error.
    pub fn run(&self) -> Result<Outcome, RaceError> {
        let mut outcome = Outcome::default();
        self.weigh(&mut outcome)?;
        self.time(&mut outcome)?;
        let takes_part = |name| outcome.standings.iter().any(|standing| standing.entrant.name == name);
        if takes_part(FORK) {
            trials::fork(self, &mut outcome.measured)?;
        }
        if [SPAWN, SPAWN_AHEAD].into_iter().all(takes_part) {
            trials::pauses(self, &mut outcome.measured)?;
        }
        Ok(outcome)
    }

    /// The memory of each, alone on the machine, and who is there at all.
    fn weigh(&self, outcome: &mut Outcome) -> Result<(), RaceError> {
        for &entrant in &self.entrants {
            eprintln!("bench: memory of `{}`", entrant.name);
            match footprint(&entrant, &self.build, self.function) {
                Ok(footprint) => {
                    outcome.standings.push(Standing { entrant, footprint, figures: Vec::new() });
                }
                Err(MemoryError::Entrant(error)) if error.missing().is_some() => {
                    let left_out = format!("`{}` is left out: {error}", entrant.name);
                    eprintln!("bench: {left_out}");
                    outcome.left_out.push(left_out);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The requests of each, turn by turn.
    fn time(&self, outcome: &mut Outcome) -> Result<(), RaceError> {
        let start = |standing: &Standing| standing.entrant.start(&self.build, self.function, 0);
        let running = outcome.standings.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        let contenders: Vec<&dyn Contender> = running.iter().map(Running::contender).collect();
        for &concurrency in &self.concurrency {
            self.group(concurrency, Duration::ZERO, &contenders, &mut outcome.measured)?;
            for standing in &mut outcome.standings {
                let slices = outcome.measured.get(standing.entrant.name, concurrency).unwrap_or_default();
                standing.figures.push(Figures::new(concurrency, slices));
            }
        }
        Ok(())
    }

    /// Measures contenders together.
    ///
    /// # Errors
    ///
    /// The first request that failed.
    pub(crate) fn group(
        &self,
        concurrency: usize,
        pause: Duration,
        contenders: &[&dyn Contender],
        measured: &mut Measured,
    ) -> Result<(), ContenderError> {
        let names: Vec<&str> = contenders.iter().map(|contender| contender.name()).collect();
        eprintln!("bench: {concurrency} at a time: {}", names.join("; "));
        let turn = Turn { duration: self.duration, concurrency, pause };
        let slices = measure(self.rounds, turn, contenders)?;
        measured.add(concurrency, &names, slices);
        Ok(())
    }
}
