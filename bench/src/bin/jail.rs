//! `cargo run --release -p fezz-bench --bin jail`: the price of each of the host's jails.

use clap::{Parser, ValueEnum};
use fezz_bench::build::{Build, BuildError};
use fezz_bench::chain;
use fezz_bench::contender::{Contender, ContenderError, Turn};
use fezz_bench::function::Function;
use fezz_bench::host::{Host, HostError};
use fezz_bench::http::Page;
use fezz_bench::program::{MissingProgram, Program};
use fezz_bench::ratios::{self, Row};
use fezz_bench::rounds::measure;
use fezz_bench::setup::{Execution, Jail, Setup};
use fezz_bench::summary::{self, Comparison};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures what a jail costs: the host with each, alternating between them. Prints a table, and how the strict jail
/// does against the others. Host, runner and module must be built for release before; what is missing is named with the
/// command that builds it.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long the whole run measures
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// How often each contender has its turn
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

/// What the summary is about, and what it is compared to.
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
    Contender(#[from] ContenderError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let markdown = arguments.markdown;
    match run(arguments) {
        Ok((rows, comparisons)) => {
            print(markdown, &rows, &comparisons);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(Vec<Row>, Vec<Comparison>), BenchError> {
    let jails = if arguments.jails.is_empty() { Jail::value_variants() } else { &arguments.jails };
    let named = |folder| Build { name: String::new(), folder };
    let build = arguments.build.map_or_else(Build::default_build, named).check(&[FUNCTION])?;
    let servers = start(jails, &build)?;
    let pages: Vec<Page> = servers.iter().map(|(jail, host)| host.page(name(*jail), FUNCTION)).collect();
    let contenders: Vec<&dyn Contender> = pages.iter().map(|page| page as &dyn Contender).collect();
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name()).collect();

    let turns = arguments.rounds * arguments.concurrency.len() * contenders.len();
    let duration = Duration::from_secs(arguments.seconds) / u32::try_from(turns.max(1)).unwrap_or(u32::MAX);
    let (mut rows, mut comparisons) = (Vec::new(), Vec::new());
    for &concurrency in &arguments.concurrency {
        let turn = Turn { duration, concurrency, pause: Duration::ZERO };
        let slices = measure(arguments.rounds, turn, &contenders)?;
        rows.extend(ratios::rows(FUNCTION.id(), concurrency, &names, &slices));
        let others = OTHERS.map(name);
        comparisons.extend(summary::compare(concurrency, name(SUBJECT), &others, &names, &slices));
    }
    Ok((rows, comparisons))
}

/// Starts what can be started on this machine, and says of the rest what is missing.
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
        // The wrapper looks for it by itself.
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
