//! `make bench-curves`: how the cost of a request grows.

use clap::Parser;
use fezz_bench::build::{Build, BuildError};
use fezz_bench::curves::{Curve, CurveError, Plan, bodies, cold, dirty, on_load, registered};
use fezz_bench::exit_code;
use fezz_bench::function::Function;
use fezz_bench::machine;
use fezz_bench::plots::lines;
use fezz_bench::result_files::{self, ResultsError};
use fezz_bench::table::Table;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Measures the executors `fork` and `spawn` against the number of functions, the size of a body and the memory that a
/// module touches while it loads, `fork` and `rewind` against the pages that a request writes to, and the first request
/// after the host's start; in some four minutes. Prints tables, and writes them to bench/results/, with a plot.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many intervals each point is measured for
    #[arg(long, default_value_t = 7)]
    rounds: usize,

    /// The length of an interval in milliseconds
    #[arg(long, default_value_t = 500)]
    turn_ms: u64,

    /// How many hosts are started, for the first request to each
    #[arg(long, default_value_t = 15)]
    starts: usize,

    /// Few short rounds: a check that everything works, not a measurement
    #[arg(long, conflicts_with_all = ["rounds", "turn_ms", "starts"])]
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
    Curve(#[from] CurveError),
    #[error(transparent)]
    Results(#[from] ResultsError),
}

fn main() -> ExitCode {
    exit_code(run(Arguments::parse()))
}

fn run(arguments: Arguments) -> Result<(), BenchError> {
    let dry = arguments.dry;
    let plan = plan(arguments)?;
    let (mut curves, mut markdown) = (Vec::new(), heading(&plan));
    for measure in [registered::measure, bodies::measure, on_load::measure, dirty::measure] {
        let curve = measure(&plan)?;
        markdown += &show(&format!("Against {}", curve.title), &curve.table());
        curves.push(curve);
    }
    markdown += &show("The first request after the host's start", &cold::measure(&plan)?);
    if !dry {
        let charts: Vec<_> = curves.iter().map(Curve::chart).collect();
        result_files::write("curves.md", &markdown)?;
        result_files::write("curves.svg", &lines::plot(&charts))?;
    }
    Ok(())
}

fn plan(arguments: Arguments) -> Result<Plan, BuildError> {
    let build = Build::at(arguments.build);
    let build = build.check(&[Function::HelloC, Function::Hello, Function::Echo])?;
    let Arguments { rounds, turn_ms, starts, quick, .. } = arguments;
    let (rounds, turn_ms, starts) = if quick { (2, 100, 3) } else { (rounds, turn_ms, starts) };
    Ok(Plan { build, rounds, duration: Duration::from_millis(turn_ms), starts })
}

/// Prints a table and returns it as Markdown.
fn show(title: &str, table: &Table) -> String {
    println!("{title}\n\n{}", table.text());
    format!("## {title}\n\n{}\n", table.markdown())
}

fn heading(plan: &Plan) -> String {
    let (machine, rounds, milliseconds) = (machine::describe(), plan.rounds, plan.duration.as_millis());
    let (clients, starts) = (Plan::CONCURRENCY, plan.starts);
    let note = format!("{clients} clients, {rounds} rounds, intervals of {milliseconds} ms; {starts} starts");
    println!("{machine}\n{note}\n");
    format!(
        "# A run of `make bench-curves`\n\n- {machine}\n- {note}\n\n![the same as a plot](curves.svg)\n\n"
    )
}
