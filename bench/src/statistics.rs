//! Quantiles, and ratios that are taken within a round, so that drift cancels.

use crate::target::Slice;
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

/// The median over the rounds.
pub(crate) fn median(slices: &[Slice], figure: fn(&Slice) -> f64) -> f64 {
    quantile(&sorted(slices.iter().map(figure)), 0.5)
}

/// The median over the rounds of `figure` to the reference's `figure` in the same round.
pub(crate) fn median_ratio(slices: &[Slice], reference: &[Slice], figure: fn(&Slice) -> f64) -> f64 {
    let ratios = slices.iter().zip(reference).map(|(slice, other)| figure(slice) / figure(other));
    quantile(&sorted(ratios), 0.5)
}

/// The distance between the rounds' figures at one and at three quarters, in percent of the median.
pub(crate) fn spread_percent(slices: &[Slice], figure: fn(&Slice) -> f64) -> f64 {
    let figures = sorted(slices.iter().map(figure));
    (quantile(&figures, 0.75) - quantile(&figures, 0.25)) / quantile(&figures, 0.5) * 100.0
}

/// The latencies of all rounds, sorted.
pub(crate) fn all_latencies(slices: &[Slice]) -> Vec<Duration> {
    let mut all: Vec<Duration> = slices.iter().flat_map(|slice| slice.latencies.iter().copied()).collect();
    all.sort_unstable();
    all
}

/// A round's median latency.
pub(crate) fn median_seconds(slice: &Slice) -> f64 {
    quantile(&slice.latencies, 0.5).as_secs_f64()
}

/// A round's requests per second.
pub(crate) fn round_throughput(slice: &Slice) -> f64 {
    throughput(std::slice::from_ref(slice))
}

/// Requests per second, of all rounds together.
pub(crate) fn throughput(slices: &[Slice]) -> f64 {
    let requests: usize = slices.iter().map(|slice| slice.latencies.len()).sum();
    let elapsed: Duration = slices.iter().map(|slice| slice.elapsed).sum();
    requests as f64 / elapsed.as_secs_f64()
}
