//! What became of the processes of requests under `rewind`, by the host's metrics.

use crate::table::Table;
use std::collections::BTreeMap;

/// The counters of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewindCounts {
    /// `<id>@<version>`.
    pub function: String,
    /// Requests whose process was put back.
    pub rewound: u64,
    /// Requests whose process was replaced after a call with a lasting effect.
    pub tainted: u64,
    /// Requests with a process that was forked for them alone.
    pub forked: u64,
    /// Processes that were compared whole with their snapshot.
    pub comparisons: u64,
    /// Those that differed from it.
    pub differences: u64,
    /// The reasons for which all requests went over to forked processes.
    pub fallbacks: Vec<String>,
}

/// Reads the counters of each function from the text of `/_metrics`; in the order of their names.
pub fn read(metrics: &str) -> Vec<RewindCounts> {
    let mut functions = BTreeMap::<&str, RewindCounts>::new();
    for series in metrics.lines().filter_map(Series::parse) {
        let Some(function) = series.label("function") else { continue };
        let empty = || RewindCounts { function: function.to_owned(), ..RewindCounts::default() };
        functions.entry(function).or_insert_with(empty).add(&series);
    }
    functions.into_values().collect()
}

/// The counters as a table, a line for each function.
pub fn table(counts: &[RewindCounts]) -> Table {
    const HEADINGS: [&str; 8] =
        ["function", "fallback", "requests", "rewound", "tainted", "forked", "compared", "differed"];
    Table {
        headings: HEADINGS.map(str::to_owned).to_vec(),
        words: 2,
        lines: counts.iter().map(RewindCounts::cells).collect(),
    }
}

impl RewindCounts {
    /// The share of requests whose process was put back.
    pub fn rewound_share(&self) -> f64 {
        self.share(self.rewound)
    }

    fn requests(&self) -> u64 {
        self.rewound + self.tainted + self.forked
    }

    fn share(&self, count: u64) -> f64 {
        count as f64 / self.requests().max(1) as f64
    }

    fn add(&mut self, series: &Series<'_>) {
        match (series.name, series.label("result")) {
            ("requests", Some("rewound")) => self.rewound = series.value,
            ("requests", Some("tainted")) => self.tainted = series.value,
            ("requests", Some("forked")) => self.forked = series.value,
            ("comparisons", _) => self.comparisons = series.value,
            ("differences", _) => self.differences = series.value,
            ("fallbacks", _) => self.fallbacks.extend(series.label("reason").map(str::to_owned)),
            _ => {}
        }
    }

    fn cells(&self) -> Vec<String> {
        let percent = |count| format!("{:.2} %", self.share(count) * 100.0);
        let fallback = if self.fallbacks.is_empty() { "-".to_owned() } else { self.fallbacks.join(", ") };
        vec![
            self.function.clone(),
            fallback,
            self.requests().to_string(),
            percent(self.rewound),
            percent(self.tainted),
            percent(self.forked),
            self.comparisons.to_string(),
            self.differences.to_string(),
        ]
    }
}

/// A line `fezz_rewind_<name>_total{<labels>} <value>`.
struct Series<'a> {
    name: &'a str,
    labels: &'a str,
    value: u64,
}

impl<'a> Series<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.strip_prefix("fezz_rewind_")?.split_once("_total{")?;
        let (labels, value) = rest.rsplit_once("} ")?;
        Some(Self { name, labels, value: value.trim().parse().ok()? })
    }

    /// A label's value. Those of these series have no quotes and no commas.
    fn label(&self, name: &str) -> Option<&'a str> {
        let value = |label: &'a str| label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"');
        self.labels.split(',').find_map(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "\
# TYPE fezz_rewind_requests counter
fezz_rewind_requests_total{function=\"todos@v1\",result=\"forked\"} 2
fezz_rewind_requests_total{function=\"todos@v1\",result=\"rewound\"} 195
fezz_rewind_requests_total{function=\"todos@v1\",result=\"tainted\"} 3
fezz_rewind_comparisons_total{function=\"todos@v1\"} 9
fezz_rewind_differences_total{function=\"todos@v1\"} 1
fezz_rewind_fallbacks_total{function=\"echo@v1\",reason=\"kernel\"} 1
fezz_requests_total{function=\"hello@v1\",status=\"200\"} 1
";

    #[test]
    fn each_function_is_counted_from_the_text_of_the_metrics() {
        let counts = read(METRICS);
        assert_eq!(counts.len(), 2);
        assert!((counts[1].rewound_share() - 0.975).abs() < 1e-9);
        let lines = table(&counts).lines;
        assert_eq!(lines[0], ["echo@v1", "kernel", "0", "0.00 %", "0.00 %", "0.00 %", "0", "0"]);
        assert_eq!(lines[1], ["todos@v1", "-", "200", "97.50 %", "1.50 %", "1.00 %", "9", "1"]);
    }
}
