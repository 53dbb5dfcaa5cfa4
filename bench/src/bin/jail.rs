//! `cargo run --release -p fezz-bench --bin jail`: the cost of each of the host's jails.

use clap::{Parser, ValueEnum};
use fezz_bench::build::{Build, BuildError};
use fezz_bench::exit_code;
use fezz_bench::function::Function;
use fezz_bench::host::{Host, HostError};
use fezz_bench::http::Page;
use fezz_bench::program::{MissingProgram, Program};
use fezz_bench::ratios::{self, Row};
use fezz_bench::rounds::measure;
use fezz_bench::setup::{Execution, Jail, Setup};
use fezz_bench::summary::{self, Comparison};
use fezz_bench::target::{Interval, MeasureError, Target};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures what a jail costs: the host with each, alternating between them. Prints a table, and how the strict jail
/// does against the others. Host, runner and module must be built for release before; what is missing is named with the
/// command that builds it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The length of the whole run in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// How many intervals each target is measured for
    #[arg(long, default_value_t = 12)]
    rounds: usize,

    /// Clients at a time
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    concurrency: Vec<usize>,

    /// Which jails; the first is what the others are compared to in the table [default: all that are installed]
    #[arg(long = "jail", value_enum, value_delimiter = ',')]
    jails: Vec<Jail>,

    /// The folder with hhrf, fezz-runner and the module [default: release/ in CARGO_TARGET_DIR or target/]
    #[arg(long, value_name = "FOLDER")]
    build: Option<PathBuf>,

    /// Print the table in Markdown
    #[arg(long)]
    markdown: bool,
}

const FUNCTION: Function = Function::HelloC;

/// The target of the summary, and what it is compared to.
const SUBJECT: Jail = Jail::Strict;
const OTHERS: [Jail; 2] = [Jail::Off, Jail::Bwrap];

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let markdown = arguments.markdown;
    exit_code(run(arguments).map(|(rows, comparisons)| print(markdown, &rows, &comparisons)))
}

fn run(arguments: Arguments) -> Result<(Vec<Row>, Vec<Comparison>), BenchError> {
    let jails = if arguments.jails.is_empty() { Jail::value_variants() } else { &arguments.jails };
    let build = Build::at(arguments.build).check(&[FUNCTION])?;
    let servers = start(jails, &build)?;
    let pages: Vec<Page> = servers.iter().map(|(jail, host)| host.page(name(*jail), FUNCTION)).collect();
    let targets: Vec<&dyn Target> = pages.iter().map(|page| page as &dyn Target).collect();
    let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();

    let intervals = arguments.rounds * arguments.concurrency.len() * targets.len();
    let duration =
        Duration::from_secs(arguments.seconds) / u32::try_from(intervals.max(1)).unwrap_or(u32::MAX);
    let (mut rows, mut comparisons) = (Vec::new(), Vec::new());
    for &concurrency in &arguments.concurrency {
        let interval = Interval { duration, concurrency, pause: Duration::ZERO };
        let slices = measure(arguments.rounds, interval, &targets)?;
        rows.extend(ratios::rows(FUNCTION.id(), concurrency, &names, &slices));
        let others = OTHERS.map(name);
        comparisons.extend(summary::compare(concurrency, name(SUBJECT), &others, &names, &slices));
    }
    Ok((rows, comparisons))
}

/// Starts the targets that this machine can run, and prints what is missing for the others.
fn start(jails: &[Jail], build: &Build) -> Result<Vec<(Jail, Host)>, BenchError> {
    let mut servers = Vec::new();
    for &jail in jails {
        match start_one(jail, build) {
            Ok(server) => servers.push((jail, server)),
            Err(BenchError::Missing(missing)) => eprintln!("bench: `{}` is left out: {missing}", name(jail)),
            Err(error) => return Err(error),
        }
    }
    Ok(servers)
}

fn start_one(jail: Jail, build: &Build) -> Result<Host, BenchError> {
    if jail == Jail::Bwrap {
        // The wrapper finds bubblewrap itself; this check only reports a missing one.
        Program::Bwrap.find()?;
    }
    Ok(Host::start(build, Setup { jail, ..Setup::strict(Execution::SPAWN, &[FUNCTION]) })?)
}

/// The name in the table.
fn name(jail: Jail) -> &'static str {
    match jail {
        Jail::Off => "host off",
        Jail::Strict => "host strict",
        Jail::Bwrap => "host bwrap",
    }
}

fn print(markdown: bool, rows: &[Row], comparisons: &[Comparison]) {
    let table = ratios::table(rows);
    let (table, bullet) = if markdown { (table.markdown(), "- ") } else { (table.text(), "") };
    println!("{table}");
    for comparison in comparisons {
        println!("{bullet}{comparison}");
    }
}
