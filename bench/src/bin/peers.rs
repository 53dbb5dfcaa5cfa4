//! `make bench`: us and our peers, in one run on one machine.

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use fezz_bench::build::{Build, BuildError};
use fezz_bench::chain;
use fezz_bench::entrants::{ENTRANTS, Entrant};
use fezz_bench::function::Function;
use fezz_bench::race::{Race, RaceError};
use fezz_bench::report::Report;
use fezz_bench::results::{self, ResultsError};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures the host in each of its executors and its peers, alternating between them, in some five minutes. Prints a
/// table and what was to be reached, and keeps both in bench/results/, with a plot.
///
/// Everything of ours must be built for release before; what is missing is named with the command that builds it. A
/// peer that isn't installed is left out.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often each contender has its turn
    #[arg(long, default_value_t = 10)]
    rounds: usize,

    /// How long a turn is
    #[arg(long, default_value_t = 700)]
    turn_ms: u64,

    /// Numbers of clients; the targets are for 1 and 16
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    concurrency: Vec<usize>,

    /// Measure these alone
    #[arg(long, value_delimiter = ',', value_name = "CONTENDER", value_parser = entrant())]
    only: Vec<Entrant>,

    /// What ours run; the peers' programs do the same
    #[arg(long, default_value = "hello-c", value_parser = greeting())]
    function: Function,

    /// Three short rounds: whether it works, not what it costs
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
    Race(#[from] RaceError),
    #[error(transparent)]
    Results(#[from] ResultsError),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), BenchError> {
    let dry = arguments.dry;
    let race = plan(arguments)?;
    let outcome = race.run()?;
    let report = Report::new(&race, &outcome);
    print!("{}", report.text());
    if !dry {
        results::write("table.md", &report.markdown())?;
        results::write("chart.svg", &report.svg())?;
    }
    Ok(())
}

fn plan(arguments: Arguments) -> Result<Race, BuildError> {
    let named = |folder| Build { name: String::new(), folder };
    let build = arguments.build.map_or_else(Build::default_build, named);
    let (rounds, turn_ms) = if arguments.quick { (3, 150) } else { (arguments.rounds, arguments.turn_ms) };
    let entrants = if arguments.only.is_empty() { ENTRANTS.to_vec() } else { arguments.only };
    Ok(Race {
        build: build.check(&[arguments.function, Function::Hello, Function::Echo])?,
        function: arguments.function,
        entrants,
        concurrency: arguments.concurrency,
        rounds,
        duration: Duration::from_millis(turn_ms),
    })
}

/// By the name that [`Entrant`] gives.
fn entrant() -> impl TypedValueParser<Value = Entrant> {
    let flags = PossibleValuesParser::new(ENTRANTS.map(|entrant| entrant.flag));
    flags.try_map(|flag| ENTRANTS.into_iter().find(|entrant| entrant.flag == flag).ok_or("no contender"))
}

/// Those whose words the peers can say.
fn greeting() -> impl TypedValueParser<Value = Function> {
    const GREETING: [Function; 2] = [Function::HelloC, Function::Hello];
    let ids = PossibleValuesParser::new(GREETING.map(Function::id));
    ids.try_map(|id| GREETING.into_iter().find(|function| function.id() == id).ok_or("no greeting function"))
}
