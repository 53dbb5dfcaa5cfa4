//! Quantiles, and ratios that are taken within a round, so that drift cancels.

use crate::rounds::Slice;
use std::time::Duration;

/// The value below which that share of the sorted samples lies.
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The values in ascending order.
pub(crate) fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The median over the rounds of `figure` to the reference's `figure` in the same round.
pub(crate) fn median_ratio(slices: &[Slice], reference: &[Slice], figure: fn(&Slice) -> f64) -> f64 {
    let ratios = slices.iter().zip(reference).map(|(slice, other)| figure(slice) / figure(other));
    quantile(&sorted(ratios), 0.5)
}

/// A round's median latency.
pub(crate) fn median_seconds(slice: &Slice) -> f64 {
    quantile(&slice.latencies, 0.5).as_secs_f64()
}

/// Requests per second, of all rounds together.
pub(crate) fn throughput(slices: &[Slice]) -> f64 {
    let requests: usize = slices.iter().map(|slice| slice.latencies.len()).sum();
    let elapsed: Duration = slices.iter().map(|slice| slice.elapsed).sum();
    requests as f64 / elapsed.as_secs_f64()
}
