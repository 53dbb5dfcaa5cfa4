//! The goals of the executors, and whether they are met; those of `rewind` are in a file of their own.

mod rewind;

use crate::statistics::{all_latencies, median, median_ratio, median_seconds, quantile, round_throughput};
use crate::table::Table;
use crate::target::Slice;
use crate::target_specs::{CGI, CGI_BWRAP, EMBEDDED, FORK, HYPER, IN_PROCESS, PREFORK, WORKER};

/// Targets that only the goals need, measured in groups of their own.
pub mod extra {
    /// `examples/hello` on `fork`.
    pub const HELLO: &str = "hello on fork";
    /// `examples/echo` on `fork`, with 10 KiB both ways.
    pub const ECHO: &str = "10 KiB echo on fork";
    /// `examples/hello` on `fork`, one of 1000 functions.
    pub const OF_1000: &str = "hello on fork, 1000 registered";
    /// `spawn` with prewarmed runners, for clients that pause.
    pub const PREWARMED_PACED: &str = "spawn prewarmed, paced";
    /// `spawn` without them, for clients that pause.
    pub const SPAWN_PACED: &str = "spawn, paced";
    /// `SELECT 1` by Postgres on `worker`.
    pub const SELECT: &str = "SELECT 1 on worker";
    /// The same by axum, with the same pool.
    pub const SELECT_AXUM: &str = "SELECT 1 on axum";
}

/// All measurements: for a target's name and a number of clients, one slice per round.
#[derive(Debug, Default)]
pub struct Measured {
    groups: Vec<(String, usize, Vec<Slice>)>,
    /// The memory of a host with 1000 functions of which none was called.
    pub bytes_with_1000: Option<u64>,
}

impl Measured {
    /// Adds the slices of targets that were measured together.
    pub fn add(&mut self, concurrency: usize, names: &[&str], slices: Vec<Vec<Slice>>) {
        let group = |(name, slices): (&&str, _)| ((*name).to_owned(), concurrency, slices);
        self.groups.extend(names.iter().zip(slices).map(group));
    }

    /// The slices of a target.
    pub fn get(&self, name: &str, concurrency: usize) -> Option<&[Slice]> {
        let is = |group: &&(String, usize, _)| group.0 == name && group.1 == concurrency;
        self.groups.iter().find(is).map(|(_, _, slices)| slices.as_slice())
    }
}

/// A goal.
struct Goal {
    what: &'static str,
    bound: Bound,
    /// A more ambitious value, which isn't required.
    aim: Option<f64>,
    unit: Unit,
    figure: fn(&Measured) -> Option<f64>,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

enum Unit {
    Times,
    Percent,
    Megabytes,
}

const GOALS: [Goal; 13] = [
    Goal {
        what: "fork against lighttpd cgi: requests/s, 16 clients",
        bound: Bound::AtLeast(2.75),
        aim: Some(4.0),
        unit: Unit::Times,
        figure: |measured| requests(measured, 16, FORK, CGI),
    },
    Goal {
        what: "fork against lighttpd cgi + bwrap: requests/s, 16 clients",
        bound: Bound::AtLeast(13.0),
        aim: Some(20.0),
        unit: Unit::Times,
        figure: |measured| requests(measured, 16, FORK, CGI_BWRAP),
    },
    Goal {
        what: "fork against lighttpd cgi: p50, 1 client",
        bound: Bound::AtMost(0.4),
        aim: None,
        unit: Unit::Times,
        figure: |measured| ratio(measured, 1, FORK, CGI, median_seconds),
    },
    Goal {
        what: "10 KiB echo against hello, both in Rust on fork: requests/s, 16 clients",
        bound: Bound::AtLeast(0.80),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, extra::ECHO, extra::HELLO),
    },
    Goal {
        what: "fork against the prefork loop: requests/s, 16 clients",
        bound: Bound::AtLeast(0.75),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, FORK, PREFORK),
    },
    Goal {
        what: "spawn prewarmed against spawn, a client that pauses: p50",
        bound: Bound::AtMost(0.25),
        aim: None,
        unit: Unit::Times,
        figure: |measured| ratio(measured, 1, extra::PREWARMED_PACED, extra::SPAWN_PACED, median_seconds),
    },
    Goal {
        what: "fork: p99 against its own p50, 16 clients",
        bound: Bound::AtMost(4.0),
        aim: None,
        unit: Unit::Times,
        figure: tail,
    },
    Goal {
        what: "fork, 1000 functions registered against few: requests/s, 16 clients",
        bound: Bound::AtLeast(0.95),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, extra::OF_1000, extra::HELLO),
    },
    Goal {
        what: "in-process against bare hyper: requests/s, 16 clients",
        bound: Bound::AtLeast(0.8),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, IN_PROCESS, HYPER),
    },
    Goal {
        what: "worker against bare hyper: requests/s, 16 clients",
        bound: Bound::AtLeast(0.5),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, WORKER, HYPER),
    },
    Goal {
        what: "worker against axum, SELECT 1 by Postgres with the same pool: requests/s, 16 clients",
        bound: Bound::AtLeast(0.8),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, extra::SELECT, extra::SELECT_AXUM),
    },
    Goal {
        what: "embedded native function against bare hyper: requests/s, 16 clients",
        bound: Bound::AtLeast(0.9),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, EMBEDDED, HYPER),
    },
    Goal {
        what: "memory of a host with 1000 idle functions",
        bound: Bound::AtMost(64.0),
        aim: None,
        unit: Unit::Megabytes,
        figure: |measured| measured.bytes_with_1000.map(|bytes| bytes as f64 / 1e6),
    },
];

/// A table with a line for each goal. A goal is `not measured` if one of its targets was left out.
pub fn verdict(measured: &Measured) -> Table {
    table(measured, GOALS.iter().chain(&rewind::GOALS))
}

/// The same for the goals of `rewind` alone.
pub fn rewind_verdict(measured: &Measured) -> Table {
    table(measured, rewind::GOALS.iter())
}

fn table<'a>(measured: &Measured, goals: impl Iterator<Item = &'a Goal>) -> Table {
    let headings = ["goal", "verdict", "figure", "required", "aim"].map(str::to_owned).to_vec();
    let line = |goal: &Goal| {
        let figure = (goal.figure)(measured).filter(|figure| figure.is_finite());
        let verdict = figure.map_or("not measured", |figure| goal.bound.verdict(figure));
        let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| goal.unit.show(value));
        let required = goal.bound.show(&goal.unit);
        vec![goal.what.to_owned(), verdict.to_owned(), show(figure), required, show(goal.aim)]
    };
    Table { headings, words: 2, lines: goals.map(line).collect() }
}

impl Bound {
    fn verdict(&self, figure: f64) -> &'static str {
        let is_met = match self {
            Self::AtLeast(goal) => figure >= *goal,
            Self::AtMost(goal) => figure <= *goal,
        };
        if is_met { "met" } else { "NOT MET" }
    }

    fn show(&self, unit: &Unit) -> String {
        match self {
            Self::AtLeast(goal) => format!(">= {}", unit.show(*goal)),
            Self::AtMost(goal) => format!("<= {}", unit.show(*goal)),
        }
    }
}

impl Unit {
    fn show(&self, value: f64) -> String {
        match self {
            Self::Times => format!("x{value:.2}"),
            Self::Percent => format!("{:.0} %", value * 100.0),
            Self::Megabytes => format!("{value:.1} MB"),
        }
    }
}

/// Requests per second to another target's.
fn requests(measured: &Measured, concurrency: usize, name: &str, other: &str) -> Option<f64> {
    ratio(measured, concurrency, name, other, round_throughput)
}

/// The median over the rounds of a figure to another target's in the same round.
fn ratio(
    measured: &Measured,
    concurrency: usize,
    name: &str,
    other: &str,
    figure: fn(&Slice) -> f64,
) -> Option<f64> {
    Some(median_ratio(measured.get(name, concurrency)?, measured.get(other, concurrency)?, figure))
}

fn tail(measured: &Measured) -> Option<f64> {
    let slices = measured.get(FORK, 16)?;
    Some(quantile(&all_latencies(slices), 0.99).as_secs_f64() / median(slices, median_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::wasmtime;
    use crate::rewind_run::workload::{C_HELLO, measurement};
    use crate::setup::Execution;
    use std::time::Duration;

    fn slice(milliseconds: u64) -> Slice {
        let latency = Duration::from_millis(milliseconds);
        Slice::new(vec![latency; 10], latency * 10)
    }

    #[test]
    fn a_goal_is_met_or_missed_or_not_measured() {
        let mut measured = Measured::default();
        measured.add(16, &[FORK, CGI, PREFORK], vec![vec![slice(10)], vec![slice(30)], vec![slice(5)]]);
        let lines = verdict(&measured).lines;
        assert_eq!(lines[0][1..], ["met", "x3.00", ">= x2.75", "x4.00"]);
        assert_eq!(lines[1][1..], ["not measured", "-", ">= x13.00", "x20.00"]);
        assert_eq!(lines[4][1..], ["NOT MET", "50 %", ">= 75 %", "-"]);
    }

    #[test]
    fn the_goals_of_rewind_find_the_measurements_of_its_workloads() {
        let targets = [Execution::FORK.name, Execution::REWIND.name, wasmtime::NAME];
        let names = targets.map(|target| measurement(C_HELLO, target));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut measured = Measured::default();
        for concurrency in [16, 1] {
            measured.add(concurrency, &names, vec![vec![slice(25)], vec![slice(10)], vec![slice(11)]]);
        }
        let lines = rewind_verdict(&measured).lines;
        assert_eq!(lines[0][1..], ["met", "x2.50", ">= x2.00", "-"]);
        assert_eq!(lines[1][1], "not measured");
        assert_eq!(lines[5][1..], ["NOT MET", "x1.10", ">= x1.20", "-"]);
        assert_eq!(lines[8][1..], ["met", "x0.91", "<= x1.00", "-"]);
    }
}
