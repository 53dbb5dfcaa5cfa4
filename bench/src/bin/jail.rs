//! `cargo run --release -p fezz-bench --bin jail`: the price of the jail, beside that of CGI with and without one.

use clap::{Parser, ValueEnum};
use fezz_bench::build::{Build, BuildError};
use fezz_bench::chain;
use fezz_bench::contender::{Contender, ContenderError};
use fezz_bench::function::Function;
use fezz_bench::host::{Host, HostError};
use fezz_bench::http::Page;
use fezz_bench::jail::Jail;
use fezz_bench::lighttpd::{Lighttpd, LighttpdError};
use fezz_bench::program::{MissingProgram, Program};
use fezz_bench::rounds::{Plan, measure};
use fezz_bench::summary::{self, Comparison};
use fezz_bench::table::{self, Row};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures what a jail costs: the host in each of its own, and a CGI program under lighttpd with bubblewrap and
/// without, alternating between them. Prints a table, and how the host's strict jail does against the others. Host,
/// runner and module must be built for release before; what is missing is named with the command that builds it.
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

    /// Which contenders; the first is what the others are compared to in the table [default: all that are installed]
    #[arg(long = "contender", value_enum, value_delimiter = ',')]
    contenders: Vec<Kind>,

    /// The folder with hhrf, fezz-runner and the module [default: release/ in CARGO_TARGET_DIR or target/]
    #[arg(long, value_name = "FOLDER")]
    build: Option<PathBuf>,

    /// Print the table in Markdown
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    HostOff,
    HostStrict,
    HostBwrap,
    Cgi,
    CgiBwrap,
}

/// `bench/cgi/hello.c` does the same.
const FUNCTION: Function = Function::HelloC;

/// What the summary is about, and what it is compared to.
const SUBJECT: Kind = Kind::HostStrict;
const OTHERS: [Kind; 3] = [Kind::CgiBwrap, Kind::HostOff, Kind::HostBwrap];

/// A contender's server, which lives as long as this.
enum Running {
    Host(Host),
    Lighttpd(Lighttpd),
}

#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Lighttpd(#[from] LighttpdError),
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
    let kinds = if arguments.contenders.is_empty() { Kind::value_variants() } else { &arguments.contenders };
    let named = |folder| Build { name: String::new(), folder };
    let build = arguments.build.map_or_else(Build::default_build, named).check(&[FUNCTION])?;
    let servers = start(kinds, &build)?;
    let pages: Vec<Page> = servers.iter().map(|(kind, server)| server.page(kind.name())).collect();
    let contenders: Vec<&dyn Contender> = pages.iter().map(|page| page as &dyn Contender).collect();
    let names: Vec<&str> = contenders.iter().map(|contender| contender.name()).collect();

    let turns = arguments.rounds * arguments.concurrency.len() * contenders.len();
    let turn = Duration::from_secs(arguments.seconds) / u32::try_from(turns.max(1)).unwrap_or(u32::MAX);
    let (mut rows, mut comparisons) = (Vec::new(), Vec::new());
    for &concurrency in &arguments.concurrency {
        let slices = measure(Plan { rounds: arguments.rounds, turn, concurrency }, &contenders)?;
        rows.extend(table::rows(FUNCTION.id(), concurrency, &names, &slices));
        let others = OTHERS.map(Kind::name);
        comparisons.extend(summary::compare(concurrency, SUBJECT.name(), &others, &names, &slices));
    }
    Ok((rows, comparisons))
}

/// Starts what can be started on this machine, and says of the rest what is missing.
fn start(kinds: &[Kind], build: &Build) -> Result<Vec<(Kind, Running)>, BenchError> {
    let mut servers = Vec::new();
    for &kind in kinds {
        match kind.start(build) {
            Ok(server) => servers.push((kind, server)),
            Err(BenchError::Missing(missing)) => eprintln!("bench: `{}` is left out: {missing}", kind.name()),
            Err(error) => return Err(error),
        }
    }
    Ok(servers)
}

impl Kind {
    /// The name in the table.
    fn name(self) -> &'static str {
        match self {
            Self::HostOff => "host off",
            Self::HostStrict => "host strict",
            Self::HostBwrap => "host bwrap",
            Self::Cgi => "cgi",
            Self::CgiBwrap => "cgi bwrap",
        }
    }

    fn start(self, build: &Build) -> Result<Running, BenchError> {
        let host = |jail| Ok(Running::Host(Host::start(build, jail, &[FUNCTION])?));
        match self {
            Self::HostOff => host(Jail::Off),
            Self::HostStrict => host(Jail::Strict),
            Self::HostBwrap => {
                // The wrapper looks for it by itself.
                Program::Bwrap.find()?;
                host(Jail::Bwrap)
            }
            Self::Cgi => lighttpd(None),
            Self::CgiBwrap => lighttpd(Some(Program::Bwrap.find()?)),
        }
    }
}

fn lighttpd(bwrap: Option<PathBuf>) -> Result<Running, BenchError> {
    let (program, cc) = (Program::Lighttpd.find()?, Program::Cc.find()?);
    Ok(Running::Lighttpd(Lighttpd::start(program, &cc, bwrap.as_deref())?))
}

impl Running {
    fn page(&self, name: &str) -> Page {
        match self {
            Self::Host(host) => host.page(name, FUNCTION),
            Self::Lighttpd(lighttpd) => lighttpd.page(name),
        }
    }
}

fn print(markdown: bool, rows: &[Row], comparisons: &[Comparison]) {
    let (table, bullet) = if markdown { (table::markdown(rows), "- ") } else { (table::text(rows), "") };
    println!("{table}");
    for comparison in comparisons {
        println!("{bullet}{comparison}");
    }
}
