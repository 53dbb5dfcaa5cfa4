//! The table: one row a contender, with its ratio to the first one of its group.

use crate::rounds::Slice;
use crate::statistics::{median_ratio, median_seconds, quantile, sorted, throughput};
use std::fmt::Write;
use std::time::Duration;

/// One contender's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The function, the concurrency and the contender.
    pub names: [String; 3],
    /// Of all samples.
    pub p50: Duration,
    /// Of all samples.
    pub p99: Duration,
    /// The distance between the rounds' medians at one and at three quarters, in percent of `p50`.
    pub spread_percent: f64,
    /// Of all rounds together.
    pub requests_per_second: f64,
    /// The median over the rounds of this p50 to the first contender's p50 in the same round.
    pub p50_ratio: f64,
    /// Requests per second to the first contender's.
    pub throughput_ratio: f64,
}

/// The rows of contenders that were measured together; the first one is what the others are compared to.
pub fn rows(function: &str, concurrency: usize, names: &[&str], slices: &[Vec<Slice>]) -> Vec<Row> {
    let Some(reference) = slices.first() else { return Vec::new() };
    let row = |(name, slices): (&&str, &Vec<Slice>)| {
        let mut all: Vec<Duration> =
            slices.iter().flat_map(|slice| slice.latencies.iter().copied()).collect();
        all.sort_unstable();
        let p50 = quantile(&all, 0.5);
        let medians = sorted(slices.iter().map(median_seconds));
        Row {
            names: [function.to_owned(), concurrency.to_string(), (*name).to_owned()],
            p50,
            p99: quantile(&all, 0.99),
            spread_percent: (quantile(&medians, 0.75) - quantile(&medians, 0.25)) / p50.as_secs_f64() * 100.0,
            requests_per_second: throughput(slices),
            p50_ratio: median_ratio(slices, reference, median_seconds),
            throughput_ratio: throughput(slices) / throughput(reference),
        }
    };
    names.iter().zip(slices).map(row).collect()
}

const HEADINGS: [&str; 9] = [
    "function",
    "clients",
    "contender",
    "p50 us",
    "p99 us",
    "spread",
    "requests/s",
    "p50 ratio",
    "requests/s ratio",
];

/// The table in columns.
pub fn text(rows: &[Row]) -> String {
    let lines: Vec<[String; 9]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let (names, figures) = line.split_at(3);
        for (cell, width) in names.iter().zip(widths) {
            write!(text, "{cell:<width$}  ").expect("a string takes every write");
        }
        for (cell, width) in figures.iter().zip(&widths[3..]) {
            write!(text, "{cell:>width$}  ").expect("a string takes every write");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// The table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = "|---|---|---|---:|---:|---:|---:|---:|---:|\n";
    line(&HEADINGS.map(str::to_owned)) + rule + &rows.iter().map(|row| line(&cells(row))).collect::<String>()
}

fn cells(row: &Row) -> [String; 9] {
    let [function, clients, contender] = row.names.clone();
    [
        function,
        clients,
        contender,
        row.p50.as_micros().to_string(),
        row.p99.as_micros().to_string(),
        format!("{:.0} %", row.spread_percent),
        format!("{:.0}", row.requests_per_second),
        format!("{:.3}", row.p50_ratio),
        format!("{:.3}", row.throughput_ratio),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(microseconds: &[u64]) -> Slice {
        let latencies: Vec<_> = microseconds.iter().copied().map(Duration::from_micros).collect();
        Slice { elapsed: latencies.iter().sum(), latencies }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_so_that_drift_cancels() {
        let reference = vec![slice(&[100, 100]), slice(&[1000, 1000]), slice(&[100, 100])];
        let other = vec![slice(&[110, 110]), slice(&[1100, 1100]), slice(&[110, 110])];
        let rows = rows("f", 1, &["a", "b"], &[reference, other]);
        assert!((rows[0].p50_ratio - 1.0).abs() < 1e-9);
        assert!((rows[1].p50_ratio - 1.1).abs() < 1e-9);
        assert_eq!(rows[1].p99, Duration::from_micros(1100));
    }
}
