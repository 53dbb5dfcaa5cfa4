//! The comparison of two targets in one line.

use crate::statistics::{median_ratio, median_seconds, round_throughput};
use crate::target::Slice;
use std::fmt;

/// Two targets that were measured together.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Clients at a time.
    pub concurrency: usize,
    /// Which target.
    pub name: String,
    /// Against which other.
    pub other: String,
    /// The median over the rounds of requests per second to the other's in the same round.
    pub throughput_ratio: f64,
    /// The median over the rounds of this p50 to the other's in the same round.
    pub p50_ratio: f64,
}

/// Compares `name` with each of `others`, as far as they are among the targets.
pub fn compare(
    concurrency: usize,
    name: &str,
    others: &[&str],
    names: &[&str],
    slices: &[Vec<Slice>],
) -> Vec<Comparison> {
    let of = |name: &str| slices.get(names.iter().position(|measured| *measured == name)?);
    let comparison = |other: &&str| {
        let (slices, reference) = (of(name)?, of(other)?);
        Some(Comparison {
            concurrency,
            name: name.to_owned(),
            other: (*other).to_owned(),
            throughput_ratio: median_ratio(slices, reference, round_throughput),
            p50_ratio: median_ratio(slices, reference, median_seconds),
        })
    };
    others.iter().filter_map(comparison).collect()
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { concurrency, name, other, throughput_ratio, p50_ratio } = self;
        write!(
            formatter,
            "clients {concurrency}: {name} against {other}: requests/s x{throughput_ratio:.2}, p50 x{p50_ratio:.2}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn slice(milliseconds: u64) -> Slice {
        let latency = Duration::from_millis(milliseconds);
        Slice { latencies: vec![latency; 10], elapsed: latency * 10 }
    }

    #[test]
    fn the_ratios_are_those_of_the_median_round_and_not_of_the_sums() {
        let measured = [vec![slice(1), slice(10), slice(1)], vec![slice(2), slice(10), slice(2)]];
        let comparisons = compare(16, "a", &["b", "not measured"], &["a", "b"], &measured);
        let lines: Vec<String> = comparisons.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["clients 16: a against b: requests/s x2.00, p50 x0.50"]);
    }
}
