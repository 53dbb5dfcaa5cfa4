//! What a run of `make bench` prints and keeps.

use crate::entrants::Entrant;
use crate::machine;
use crate::plots::bars::{self, Bar, Panel};
use crate::race::{Outcome, Race};
use crate::standings::{self, Figures, Standing, milliseconds};
use crate::table::Table;
use crate::targets;

/// A run, in words and tables.
#[derive(Debug)]
pub struct Report {
    /// The machine, the plan and the versions, a line each.
    notes: Vec<String>,
    standings: Table,
    verdict: Table,
    panels: Vec<Panel>,
}

impl Report {
    /// Of a run that is over.
    pub fn new(race: &Race, outcome: &Outcome) -> Self {
        Self {
            notes: notes(race, outcome),
            standings: standings::table(&outcome.standings),
            verdict: targets::verdict(&outcome.measured),
            panels: panels(&outcome.standings),
        }
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        format!("{notes}\n{}\n{}", self.standings.text(), self.verdict.text())
    }

    /// For the repository.
    pub fn markdown(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("- {note}\n")).collect();
        let (standings, verdict) = (self.standings.markdown(), self.verdict.markdown());
        format!(
            "# A run of `make bench`\n\n{notes}\n{standings}\n![the same as a plot](chart.svg)\n\n\
             ## What was to be reached\n\n{verdict}"
        )
    }

    /// The plot.
    pub fn svg(&self) -> String {
        bars::plot(&self.panels)
    }
}

fn notes(race: &Race, outcome: &Outcome) -> Vec<String> {
    let mut versions: Vec<String> =
        outcome.standings.iter().flat_map(|standing| standing.entrant.versions()).collect();
    versions.sort();
    versions.dedup();
    let (rounds, milliseconds) = (race.rounds, race.duration.as_millis());
    let mut notes = vec![
        machine::describe(),
        format!("function `{}`; {rounds} rounds, turns of {milliseconds} ms", race.function.id()),
    ];
    if !versions.is_empty() {
        notes.push(format!("versions: {}", versions.join("; ")));
    }
    notes.extend(outcome.left_out.iter().cloned());
    notes
}

/// What has a process per request, and what hasn't, can't be drawn to one scale: the short ones would vanish.
fn panels(standings: &[Standing]) -> Vec<Panel> {
    /// Where both processors are busy.
    const BUSY: usize = 16;
    let requests =
        |figures: &Figures| (figures.requests_per_second, format!("{:.0}", figures.requests_per_second));
    let p50 = |figures: &Figures| (figures.p50.as_secs_f64(), format!("{} ms", milliseconds(figures.p50)));
    let isolated = |entrant: &Entrant| entrant.process_per_request;
    let shared = |entrant: &Entrant| !entrant.process_per_request;
    let all = |_: &Entrant| true;
    vec![
        panel("Requests/s with 16 clients: a process per request", standings, isolated, BUSY, requests),
        panel(
            "Requests/s with 16 clients: one process for all (another scale)",
            standings,
            shared,
            BUSY,
            requests,
        ),
        panel("Median latency with one client, shorter is better", standings, all, 1, p50),
    ]
}

fn panel(
    title: &str,
    standings: &[Standing],
    belongs: fn(&Entrant) -> bool,
    concurrency: usize,
    figure: fn(&Figures) -> (f64, String),
) -> Panel {
    let bar = |standing: &Standing| {
        let figures = standing.figures.iter().find(|figures| figures.concurrency == concurrency)?;
        let (value, text) = figure(figures);
        let label = standing.entrant.name.to_owned();
        Some(Bar { is_ours: label.starts_with("fezz"), label, value, text })
    };
    let bars = standings.iter().filter(|standing| belongs(&standing.entrant)).filter_map(bar).collect();
    Panel { title: title.to_owned(), bars }
}
