//! The printed and stored report of a run of `make bench`.

use crate::goals;
use crate::machine;
use crate::peers_run::{Outcome, PeersRun};
use crate::plots::bars::{self, Bar, Panel};
use crate::ratios;
use crate::rewind_run::{RewindResults, counts};
use crate::table::Table;
use crate::target_results::{self, Figures, TargetResult, milliseconds};
use crate::target_specs::TargetSpec;

/// The report of a run.
#[derive(Debug)]
pub struct Report {
    /// The machine, the plan and the versions, a line each.
    notes: Vec<String>,
    results: Table,
    /// `rewind` beside `fork`, and what became of its processes.
    rewind: Option<[Table; 2]>,
    verdict: Table,
    panels: Vec<Panel>,
}

impl Report {
    /// The report of a finished run.
    pub fn new(run: &PeersRun, outcome: &Outcome) -> Self {
        Self {
            notes: notes(run, outcome),
            results: target_results::table(&outcome.results),
            rewind: outcome.rewind.as_ref().map(rewind_tables),
            verdict: goals::verdict(&outcome.measured),
            panels: panels(&outcome.results),
        }
    }

    /// The report as text for a terminal.
    pub fn text(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        let rewind: String = self.rewind.iter().flatten().map(|table| table.text() + "\n").collect();
        format!("{notes}\n{}\n{rewind}{}", self.results.text(), self.verdict.text())
    }

    /// The report as Markdown for the repository.
    pub fn markdown(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("- {note}\n")).collect();
        let (results, verdict) = (self.results.markdown(), self.verdict.markdown());
        let rewind = self.rewind.as_ref().map_or_else(String::new, |[rows, counts]| {
            let (rows, counts) = (rows.markdown(), counts.markdown());
            format!("## rewind beside fork\n\n{rows}\nIts processes:\n\n{counts}\n")
        });
        format!(
            "# A run of `make bench`\n\n{notes}\n{results}\n![the same as a plot](chart.svg)\n\n\
             {rewind}## Goals\n\n{verdict}"
        )
    }

    /// The plot.
    pub fn svg(&self) -> String {
        bars::plot(&self.panels)
    }
}

fn rewind_tables(results: &RewindResults) -> [Table; 2] {
    [ratios::table(&results.rows), counts::table(&results.counts)]
}

fn notes(run: &PeersRun, outcome: &Outcome) -> Vec<String> {
    let mut versions: Vec<String> =
        outcome.results.iter().flat_map(|result| result.spec.versions()).collect();
    versions.sort();
    versions.dedup();
    let (rounds, milliseconds) = (run.rounds, run.duration.as_millis());
    let mut notes = vec![
        machine::describe(),
        format!("function `{}`; {rounds} rounds, intervals of {milliseconds} ms", run.function.id()),
    ];
    if !versions.is_empty() {
        notes.push(format!("versions: {}", versions.join("; ")));
    }
    notes.extend(outcome.left_out.iter().cloned());
    notes
}

/// Targets with and without a process per request are in separate panels: on one scale, the short bars would be
/// invisible.
fn panels(results: &[TargetResult]) -> Vec<Panel> {
    /// The number of clients that keeps both processors busy.
    const BUSY: usize = 16;
    let requests =
        |figures: &Figures| (figures.requests_per_second, format!("{:.0}", figures.requests_per_second));
    let p50 = |figures: &Figures| (figures.p50.as_secs_f64(), format!("{} ms", milliseconds(figures.p50)));
    let isolated = |spec: &TargetSpec| spec.process_per_request;
    let shared = |spec: &TargetSpec| !spec.process_per_request;
    let all = |_: &TargetSpec| true;
    vec![
        panel("Requests/s with 16 clients: a process per request", results, isolated, BUSY, requests),
        panel(
            "Requests/s with 16 clients: processes that serve many requests (another scale)",
            results,
            shared,
            BUSY,
            requests,
        ),
        panel("Median latency with one client, shorter is better", results, all, 1, p50),
    ]
}

fn panel(
    title: &str,
    results: &[TargetResult],
    belongs: fn(&TargetSpec) -> bool,
    concurrency: usize,
    figure: fn(&Figures) -> (f64, String),
) -> Panel {
    let bar = |result: &TargetResult| {
        let figures = result.figures.iter().find(|figures| figures.concurrency == concurrency)?;
        let (value, text) = figure(figures);
        let label = result.spec.name.to_owned();
        Some(Bar { is_ours: label.starts_with("fezz"), label, value, text })
    };
    let bars = results.iter().filter(|result| belongs(&result.spec)).filter_map(bar).collect();
    Panel { title: title.to_owned(), bars }
}
