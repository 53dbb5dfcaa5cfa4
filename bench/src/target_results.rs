//! The table of `make bench`: all results of a target in one line.

use crate::memory::Footprint;
use crate::statistics::{all_latencies, median, median_seconds, quantile, round_throughput, spread_percent};
use crate::table::Table;
use crate::target::Slice;
use crate::target_specs::TargetSpec;
use std::time::Duration;

/// The results of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetResult {
    /// The target.
    pub spec: TargetSpec,
    /// Its memory when it is idle.
    pub footprint: Footprint,
    /// One for each number of clients.
    pub figures: Vec<Figures>,
}

/// The figures of one target with one number of clients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Clients at a time.
    pub concurrency: usize,
    /// The median over the rounds.
    pub requests_per_second: f64,
    /// The distance between the rounds' requests per second at one and at three quarters, in percent of the median.
    pub spread_percent: f64,
    /// The median over the rounds of their medians.
    pub p50: Duration,
    /// Of all requests of all rounds: a rare delay counts.
    pub p99: Duration,
}

impl Figures {
    /// From one slice a round.
    pub fn new(concurrency: usize, slices: &[Slice]) -> Self {
        Self {
            concurrency,
            requests_per_second: median(slices, round_throughput),
            spread_percent: spread_percent(slices, round_throughput),
            p50: Duration::from_secs_f64(median(slices, median_seconds)),
            p99: quantile(&all_latencies(slices), 0.99),
        }
    }
}

/// The lines as a table.
pub fn table(results: &[TargetResult]) -> Table {
    let mut headings: Vec<String> =
        ["target", "process per request", "sandbox", "MB idle", "MB per function"].map(str::to_owned).into();
    for figures in results.first().into_iter().flat_map(|result| &result.figures) {
        let clients = figures.concurrency;
        headings.extend([format!("c{clients} req/s"), "p50 ms".to_owned(), "p99 ms".to_owned()]);
    }
    headings.push("spread".to_owned());
    Table { headings, words: 3, lines: results.iter().map(line).collect() }
}

fn line(result: &TargetResult) -> Vec<String> {
    let TargetResult { spec, footprint, figures } = result;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let mut cells = vec![
        spec.name.to_owned(),
        yes(spec.process_per_request),
        yes(spec.sandbox),
        megabytes(footprint.bytes),
        megabytes(footprint.further_bytes),
    ];
    for figures in figures {
        cells.push(format!("{:.0}", figures.requests_per_second));
        cells.push(milliseconds(figures.p50));
        cells.push(milliseconds(figures.p99));
    }
    // The worst one of the line: over some 20 %, the machine was busy with other work.
    let spread = figures.iter().map(|figures| figures.spread_percent).fold(0.0, f64::max);
    cells.push(format!("{spread:.0} %"));
    cells
}

/// Megabytes of 10^6 bytes, or a dash.
pub(crate) fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1}", bytes as f64 / 1e6))
}

/// With as many digits as mean something.
pub(crate) fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    let digits = match milliseconds {
        ..1.0 => 3,
        ..10.0 => 2,
        _ => 1,
    };
    format!("{milliseconds:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target_specs::TARGETS;

    #[test]
    fn a_line_has_a_cell_for_each_heading() {
        let second = Duration::from_secs(1);
        let slices = vec![Slice::new(vec![second / 100; 100], second); 3];
        let figures = [1, 16].map(|clients| Figures::new(clients, &slices)).into();
        let result = TargetResult { spec: TARGETS[0], footprint: Footprint::default(), figures };
        let table = table(&[result]);
        assert_eq!(table.lines[0].len(), table.headings.len());
        assert_eq!(table.lines[0][5..8], ["100", "10.0", "10.0"]);
        assert_eq!(table.lines[0].last().map(String::as_str), Some("0 %"));
    }
}
