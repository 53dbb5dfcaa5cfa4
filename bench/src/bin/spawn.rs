//! `cargo run --release -p fezz-bench --bin spawn`: what the host adds to a plain spawn of its runner.

use clap::{Parser, ValueEnum};
use fezz_bench::bare::Bare;
use fezz_bench::build::{Build, BuildError};
use fezz_bench::exit_code;
use fezz_bench::function::Function;
use fezz_bench::host::{Host, HostError};
use fezz_bench::ratios::{self, Row};
use fezz_bench::rounds::measure;
use fezz_bench::setup::{Execution, Jail, Setup};
use fezz_bench::target::{Interval, MeasureError, Target};
use std::process::ExitCode;
use std::time::Duration;

/// Measures the `spawn` executor against a bare spawn of the runner, alternating between them, and prints a table.
/// Everything must be built for release before; what is missing is named with the command that builds it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The length of the whole run in seconds
    #[arg(long, default_value_t = 45)]
    seconds: u64,

    /// How many intervals each target is measured for
    #[arg(long, default_value_t = 12)]
    rounds: usize,

    /// Clients at a time
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    concurrency: Vec<usize>,

    /// Which functions
    #[arg(long = "function", value_enum, value_delimiter = ',', default_value = "hello-c,hello,todos")]
    functions: Vec<Function>,

    /// A folder with hhrf, fezz-runner and the modules, to compare versions of them; may be repeated
    /// [default: release/ in CARGO_TARGET_DIR or target/]
    #[arg(long = "build", value_name = "NAME=FOLDER")]
    builds: Vec<Build>,

    /// Measure only these: `bare` compares runners and modules, `host` compares hosts
    #[arg(long, value_enum)]
    only: Option<Kind>,

    /// Print the table in Markdown
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Bare,
    Host,
}

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let markdown = arguments.markdown;
    exit_code(run(arguments).map(|rows| {
        let table = ratios::table(&rows);
        print!("{}", if markdown { table.markdown() } else { table.text() });
    }))
}

fn run(mut arguments: Arguments) -> Result<Vec<Row>, BenchError> {
    if arguments.builds.is_empty() {
        arguments.builds = vec![Build::default_build()];
    }
    let functions = &arguments.functions;
    let check = |build: Build| build.check(functions);
    let builds = arguments.builds.into_iter().map(check).collect::<Result<Vec<_>, _>>()?;
    let setup = Setup { jail: Jail::Off, ..Setup::strict(Execution::SPAWN, functions) };
    let start = |build: &Build| Host::start(build, setup);
    let hosts = builds.iter().map(start).collect::<Result<Vec<_>, _>>()?;

    let a_build = if arguments.only.is_some() { 1 } else { 2 };
    let intervals = arguments.rounds * functions.len() * arguments.concurrency.len() * builds.len() * a_build;
    let duration =
        Duration::from_secs(arguments.seconds) / u32::try_from(intervals.max(1)).unwrap_or(u32::MAX);
    let mut rows = Vec::new();
    for &function in functions {
        for &concurrency in &arguments.concurrency {
            let mut targets: Vec<Box<dyn Target>> = Vec::new();
            for (build, host) in builds.iter().zip(&hosts) {
                if arguments.only != Some(Kind::Host) {
                    targets.push(Box::new(Bare::new(build, host.module(function), function)));
                }
                if arguments.only != Some(Kind::Bare) {
                    let name = format!("host {}", build.name);
                    targets.push(Box::new(host.page(name.trim_end(), function)));
                }
            }
            let targets: Vec<&dyn Target> = targets.iter().map(|target| &**target).collect();
            let names: Vec<&str> = targets.iter().map(|target| target.name()).collect();
            let interval = Interval { duration, concurrency, pause: Duration::ZERO };
            let slices = measure(arguments.rounds, interval, &targets)?;
            rows.extend(ratios::rows(function.id(), concurrency, &names, &slices));
        }
    }
    Ok(rows)
}
