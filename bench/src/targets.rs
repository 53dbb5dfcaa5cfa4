//! What the executors are to reach, and whether they do.

use crate::contender::Slice;
use crate::entrants::{CGI, CGI_BWRAP, FORK, PREFORK};
use crate::statistics::{all_latencies, median, median_ratio, median_seconds, quantile, round_throughput};
use crate::table::Table;

/// What only targets need: contenders of groups that are measured apart from the table's.
pub mod extra {
    /// `examples/hello` on `fork`.
    pub const HELLO: &str = "hello on fork";
    /// `examples/echo` on `fork`, with 10 KiB both ways.
    pub const ECHO: &str = "10 KiB echo on fork";
    /// `examples/hello` on `fork`, one of 1000 functions.
    pub const OF_1000: &str = "hello on fork, 1000 registered";
    /// `spawn` with processes ahead, for clients that pause.
    pub const AHEAD_PACED: &str = "spawn ahead, paced";
    /// `spawn` without, for clients that pause.
    pub const SPAWN_PACED: &str = "spawn, paced";
}

/// All that was measured: by the contender's name and the number of clients, a slice a round.
#[derive(Debug, Default)]
pub struct Measured {
    groups: Vec<(String, usize, Vec<Slice>)>,
    /// Of a host with 1000 functions none of which was called.
    pub bytes_with_1000: Option<u64>,
}

impl Measured {
    /// Keeps what contenders did that were measured together.
    pub fn add(&mut self, concurrency: usize, names: &[&str], slices: Vec<Vec<Slice>>) {
        let group = |(name, slices): (&&str, _)| ((*name).to_owned(), concurrency, slices);
        self.groups.extend(names.iter().zip(slices).map(group));
    }

    /// What a contender did.
    pub fn get(&self, name: &str, concurrency: usize) -> Option<&[Slice]> {
        let is = |group: &&(String, usize, _)| group.0 == name && group.1 == concurrency;
        self.groups.iter().find(is).map(|(_, _, slices)| slices.as_slice())
    }
}

/// One of them.
struct Target {
    what: &'static str,
    goal: Goal,
    /// What we'd like beyond the goal.
    aim: Option<f64>,
    unit: Unit,
    figure: fn(&Measured) -> Option<f64>,
}

enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

enum Unit {
    Times,
    Percent,
    Megabytes,
}

const TARGETS: [Target; 9] = [
    Target {
        what: "fork against lighttpd cgi: requests/s, 16 clients",
        goal: Goal::AtLeast(2.75),
        aim: Some(4.0),
        unit: Unit::Times,
        figure: |measured| requests(measured, 16, FORK, CGI),
    },
    Target {
        what: "fork against lighttpd cgi + bwrap: requests/s, 16 clients",
        goal: Goal::AtLeast(13.0),
        aim: Some(20.0),
        unit: Unit::Times,
        figure: |measured| requests(measured, 16, FORK, CGI_BWRAP),
    },
    Target {
        what: "fork against lighttpd cgi: p50, 1 client",
        goal: Goal::AtMost(0.4),
        aim: None,
        unit: Unit::Times,
        figure: |measured| ratio(measured, 1, FORK, CGI, median_seconds),
    },
    Target {
        what: "10 KiB echo against hello, both in Rust on fork: requests/s, 16 clients",
        goal: Goal::AtLeast(0.80),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, extra::ECHO, extra::HELLO),
    },
    Target {
        what: "fork against the prefork loop: requests/s, 16 clients",
        goal: Goal::AtLeast(0.75),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, FORK, PREFORK),
    },
    Target {
        what: "spawn ahead against spawn, a client that pauses: p50",
        goal: Goal::AtMost(0.25),
        aim: None,
        unit: Unit::Times,
        figure: |measured| ratio(measured, 1, extra::AHEAD_PACED, extra::SPAWN_PACED, median_seconds),
    },
    Target {
        what: "fork: p99 against its own p50, 16 clients",
        goal: Goal::AtMost(4.0),
        aim: None,
        unit: Unit::Times,
        figure: tail,
    },
    Target {
        what: "fork, 1000 functions registered against few: requests/s, 16 clients",
        goal: Goal::AtLeast(0.95),
        aim: None,
        unit: Unit::Percent,
        figure: |measured| requests(measured, 16, extra::OF_1000, extra::HELLO),
    },
    Target {
        what: "memory of a host with 1000 idle functions",
        goal: Goal::AtMost(64.0),
        aim: None,
        unit: Unit::Megabytes,
        figure: |measured| measured.bytes_with_1000.map(|bytes| bytes as f64 / 1e6),
    },
];

/// The verdict: a line for each target. What it takes may not have been measured, by choice or for want of a peer.
pub fn verdict(measured: &Measured) -> Table {
    let headings = ["target", "verdict", "figure", "goal", "aim"].map(str::to_owned).to_vec();
    let line = |target: &Target| {
        let figure = (target.figure)(measured).filter(|figure| figure.is_finite());
        let verdict = figure.map_or("not measured", |figure| target.goal.verdict(figure));
        let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| target.unit.show(value));
        let goal = target.goal.show(&target.unit);
        vec![target.what.to_owned(), verdict.to_owned(), show(figure), goal, show(target.aim)]
    };
    Table { headings, words: 2, lines: TARGETS.iter().map(line).collect() }
}

impl Goal {
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

/// Requests per second to another contender's.
fn requests(measured: &Measured, concurrency: usize, name: &str, other: &str) -> Option<f64> {
    ratio(measured, concurrency, name, other, round_throughput)
}

/// The median over the rounds of a figure to another contender's in the same round.
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
    use std::time::Duration;

    fn slice(milliseconds: u64) -> Slice {
        let latency = Duration::from_millis(milliseconds);
        Slice::new(vec![latency; 10], latency * 10)
    }

    #[test]
    fn a_target_is_met_or_missed_or_not_measured() {
        let mut measured = Measured::default();
        measured.add(16, &[FORK, CGI, PREFORK], vec![vec![slice(10)], vec![slice(30)], vec![slice(5)]]);
        let lines = verdict(&measured).lines;
        assert_eq!(lines[0][1..], ["met", "x3.00", ">= x2.75", "x4.00"]);
        assert_eq!(lines[1][1..], ["not measured", "-", ">= x13.00", "x20.00"]);
        assert_eq!(lines[4][1..], ["NOT MET", "50 %", ">= 75 %", "-"]);
    }
}
