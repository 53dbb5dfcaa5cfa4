//! `make bench`: the host and comparable servers, in one run on one machine.

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use fezz_bench::build::{Build, BuildError};
use fezz_bench::exit_code;
use fezz_bench::function::Function;
use fezz_bench::peers_run::{PeersRun, PeersRunError};
use fezz_bench::report::Report;
use fezz_bench::result_files::{self, ResultsError};
use fezz_bench::rewind_run::RewindRun;
use fezz_bench::target_specs::{REWIND, TARGETS, TargetSpec, WORKER};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures each executor of the host and the peers, alternating between them, in some ten minutes. Prints the results
/// and the goals, and writes both to bench/results/, with a plot.
///
/// The host, the runner and the modules must be built for release before; an error names the command that builds a
/// missing one. A peer that isn't installed is left out.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many intervals each target is measured for
    #[arg(long, default_value_t = 10)]
    rounds: usize,

    /// The length of an interval in milliseconds
    #[arg(long, default_value_t = 700)]
    turn_ms: u64,

    /// Numbers of clients; the goals are for 1 and 16
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    concurrency: Vec<usize>,

    /// Measure only these targets
    #[arg(long, value_delimiter = ',', value_name = "TARGET", value_parser = spec())]
    only: Vec<TargetSpec>,

    /// The function that the host runs; the peers' programs do the same
    #[arg(long, default_value = "hello-c", value_parser = greeting())]
    function: Function,

    /// Three short rounds: a check that everything works, not a measurement
    #[arg(long, conflicts_with_all = ["rounds", "turn_ms"])]
    quick: bool,

    /// The folder with hhrf, fezz-runner and the modules [default: release/ in CARGO_TARGET_DIR or target/]
    #[arg(long, value_name = "FOLDER")]
    build: Option<PathBuf>,

    /// Don't write bench/results/
    #[arg(long)]
    dry: bool,
}

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    PeersRun(#[from] PeersRunError),
    #[error(transparent)]
    Results(#[from] ResultsError),
}

fn main() -> ExitCode {
    exit_code(run(Arguments::parse()))
}

fn run(arguments: Arguments) -> Result<(), BenchError> {
    let dry = arguments.dry;
    let run = plan(arguments)?;
    let outcome = run.run()?;
    let report = Report::new(&run, &outcome);
    print!("{}", report.text());
    if !dry {
        result_files::write("table.md", &report.markdown())?;
        result_files::write("chart.svg", &report.svg())?;
    }
    Ok(())
}

fn plan(arguments: Arguments) -> Result<PeersRun, BuildError> {
    let build = Build::at(arguments.build);
    let (rounds, turn_ms) = if arguments.quick { (3, 150) } else { (arguments.rounds, arguments.turn_ms) };
    let specs = if arguments.only.is_empty() { TARGETS.to_vec() } else { arguments.only };
    let mut functions = vec![arguments.function, Function::Hello, Function::Echo];
    if specs.iter().any(|spec| spec.name == WORKER) {
        functions.push(Function::Select);
    }
    if specs.iter().any(|spec| spec.name == REWIND) {
        functions.extend(RewindRun::FUNCTIONS);
    }
    Ok(PeersRun {
        build: build.check(&functions)?,
        function: arguments.function,
        specs,
        concurrency: arguments.concurrency,
        rounds,
        duration: Duration::from_millis(turn_ms),
    })
}

/// Parses the flag of a [`TargetSpec`].
fn spec() -> impl TypedValueParser<Value = TargetSpec> {
    let flags = PossibleValuesParser::new(TARGETS.map(|spec| spec.flag));
    flags.try_map(|flag| TARGETS.into_iter().find(|spec| spec.flag == flag).ok_or("no target"))
}

/// Parses a function whose greeting the peers can produce.
fn greeting() -> impl TypedValueParser<Value = Function> {
    const GREETING: [Function; 2] = [Function::HelloC, Function::Hello];
    let ids = PossibleValuesParser::new(GREETING.map(Function::id));
    ids.try_map(|id| GREETING.into_iter().find(|function| function.id() == id).ok_or("no greeting function"))
}
