//! One row per target, with its ratio to the first target of the group.

use crate::statistics::{all_latencies, median_ratio, median_seconds, quantile, spread_percent, throughput};
use crate::table::Table;
use crate::target::Slice;
use std::time::Duration;

/// One target's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The function, the concurrency and the target.
    pub names: [String; 3],
    /// Of all samples.
    pub p50: Duration,
    /// Of all samples.
    pub p99: Duration,
    /// The distance between the rounds' medians at one and at three quarters, in percent of their median.
    pub spread_percent: f64,
    /// Of all rounds together.
    pub requests_per_second: f64,
    /// The median over the rounds of this p50 to the first target's p50 in the same round.
    pub p50_ratio: f64,
    /// Requests per second to the first target's.
    pub throughput_ratio: f64,
}

/// The rows of targets that were measured together. The first target is the reference.
pub fn rows(function: &str, concurrency: usize, names: &[&str], slices: &[Vec<Slice>]) -> Vec<Row> {
    let Some(reference) = slices.first() else { return Vec::new() };
    let row = |(name, slices): (&&str, &Vec<Slice>)| {
        let all = all_latencies(slices);
        Row {
            names: [function.to_owned(), concurrency.to_string(), (*name).to_owned()],
            p50: quantile(&all, 0.5),
            p99: quantile(&all, 0.99),
            spread_percent: spread_percent(slices, median_seconds),
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
    "target",
    "p50 us",
    "p99 us",
    "spread",
    "requests/s",
    "p50 ratio",
    "requests/s ratio",
];

/// The rows as a table.
pub fn table(rows: &[Row]) -> Table {
    let lines = rows.iter().map(|row| cells(row).to_vec()).collect();
    Table { headings: HEADINGS.map(str::to_owned).to_vec(), words: 3, lines }
}

fn cells(row: &Row) -> [String; 9] {
    let [function, clients, target] = row.names.clone();
    [
        function,
        clients,
        target,
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
