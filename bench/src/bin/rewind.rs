//! `cargo run --release -p fezz-bench --bin rewind`: the executor `rewind` beside `fork` and `wasmtime serve`.

use clap::Parser;
use fezz_bench::build::{Build, BuildError};
use fezz_bench::curves::{CurveError, Plan, dirty};
use fezz_bench::exit_code;
use fezz_bench::goals::{Measured, rewind_verdict};
use fezz_bench::machine;
use fezz_bench::ratios;
use fezz_bench::rewind_run::{RewindRun, RewindRunError, counts};
use fezz_bench::table::Table;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures the executor `rewind` beside `fork`, in some four minutes: the part of `make bench` and of `make
/// bench-curves` that is about it. Prints tables: the figures of each workload, what became of the processes, the goals,
/// and the cost against the pages that a request writes to.
///
/// Host, runner and modules must be built for release before; an error names the command that builds a missing one.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many intervals each target is measured for
    #[arg(long, default_value_t = 10)]
    rounds: usize,

    /// The length of an interval in milliseconds
    #[arg(long, default_value_t = 500)]
    turn_ms: u64,

    /// Three short rounds: a check that everything works, not a measurement
    #[arg(long, conflicts_with_all = ["rounds", "turn_ms"])]
    quick: bool,

    /// Measure only the workloads, not the cost against the pages that a request writes to
    #[arg(long)]
    no_curve: bool,

    /// The folder with hhrf, fezz-runner and the modules [default: release/ in CARGO_TARGET_DIR or target/]
    #[arg(long, value_name = "FOLDER")]
    build: Option<PathBuf>,

    /// Print Markdown
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    RewindRun(#[from] RewindRunError),
    #[error(transparent)]
    Curve(#[from] CurveError),
}

fn main() -> ExitCode {
    exit_code(run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), BenchError> {
    let build = Build::at(arguments.build.clone()).check(&RewindRun::FUNCTIONS)?;
    let (rounds, turn_ms) = if arguments.quick { (3, 150) } else { (arguments.rounds, arguments.turn_ms) };
    let run = RewindRun { build, rounds, duration: Duration::from_millis(turn_ms) };
    println!("{}\n{rounds} rounds, intervals of {turn_ms} ms\n", machine::describe());
    let mut measured = Measured::default();
    let results = run.run(&mut measured)?;
    for table in [ratios::table(&results.rows), counts::table(&results.counts), rewind_verdict(&measured)] {
        print(arguments, &table);
    }
    if !arguments.no_curve {
        let RewindRun { build, rounds, duration } = run;
        print(arguments, &dirty::measure(&Plan { build, rounds, duration, starts: 0 })?.table());
    }
    Ok(())
}

fn print(arguments: &Arguments, table: &Table) {
    println!("{}", if arguments.markdown { table.markdown() } else { table.text() });
}
