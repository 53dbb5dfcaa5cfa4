//! What is printed: a table for people, JSON for machines.

use super::judge::Verdict;
use crate::catalogue::Execution;
use crate::settings::Settings;
use clap::ValueEnum;
use fezz_wire::control::Separation;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// The form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, and a line of counts for each executor.
    Text,
    /// One JSON object.
    Json,
}

/// The outcome of a whole check.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was checked, and where.
    pub(super) checked: Checked,
    /// The executors, with their counts.
    pub(super) executors: Vec<Executor>,
    /// Each attempt under each executor, in the order in which they were made.
    pub(super) attempts: Vec<Row>,
}

/// What was checked, and where: another machine may give another result.
#[derive(Debug, Serialize)]
pub(super) struct Checked {
    /// This program's.
    pub version: &'static str,
    /// How modules were confined.
    pub jail: &'static str,
    /// The runner, or wrapper.
    pub runner: String,
    /// The host's user.
    pub uid: u32,
    /// The kernel's release.
    pub kernel: String,
}

impl Checked {
    /// With these settings, on this machine.
    pub(super) fn new(settings: &Settings, runner: &Path) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            jail: settings.jail.as_str(),
            runner: runner.display().to_string(),
            uid: rustix::process::geteuid().as_raw(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }
}

/// The results of all attempts under one executor.
#[derive(Debug, Serialize)]
pub(super) struct Executor {
    /// Its name.
    pub execution: Execution,
    /// What keeps forked processes apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separation: Option<&'static str>,
    /// How many attempts had which result.
    pub counts: Counts,
}

/// How many attempts had which result.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// All.
    pub attempts: usize,
    /// Those that the jail held.
    pub held: usize,
    /// Those that worked.
    pub worked: usize,
    /// Those that need something that this machine lacks.
    pub not_tried: usize,
    /// Those that ended without a clear result.
    pub unclear: usize,
}

/// One attempt.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Under which executor.
    pub execution: Execution,
    /// Its theme.
    pub group: String,
    /// Its name.
    pub id: String,
    /// What it tries.
    pub tries: String,
    /// The expected result.
    pub expected: &'static str,
    /// The observed result.
    pub observed: String,
    /// The verdict on the jail.
    pub verdict: Verdict,
}

impl Report {
    /// Counts the rows. `separation` is what the zygotes reported.
    pub(super) fn new(checked: Checked, separation: Option<Separation>, attempts: Vec<Row>) -> Self {
        let of = |execution| {
            let rows: Vec<&Row> = attempts.iter().filter(|row| row.execution == execution).collect();
            let separation = separation.filter(|_| execution == Execution::Fork).map(separation_label);
            (!rows.is_empty()).then(|| Executor { execution, separation, counts: Counts::of(&rows) })
        };
        Self { checked, executors: Execution::JAILED.into_iter().filter_map(of).collect(), attempts }
    }

    /// Whether the jail held in every attempt that could be made; false if none could.
    pub fn all_held(&self) -> bool {
        let counts = || self.executors.iter().map(|executor| executor.counts);
        counts().any(|counts| counts.held > 0)
            && counts().all(|counts| counts.worked == 0 && counts.unclear == 0)
    }

    /// The report in a form, ending in a line feed.
    pub fn print(&self, format: Format) -> String {
        match format {
            Format::Text => self.text(),
            Format::Json => {
                let json = serde_json::to_string_pretty(self).expect("text and numbers are always JSON");
                json + "\n"
            }
        }
    }

    fn text(&self) -> String {
        let width =
            |of: fn(&Row) -> &str| self.attempts.iter().map(|row| of(row).len()).max().unwrap_or_default();
        let (ids, expectations) = (width(|row| &row.id), width(|row| row.expected));
        let lines = self.lines();
        let names = lines.iter().map(|(executors, _)| executors.len()).max().unwrap_or_default();
        let Checked { version, jail, runner, uid, kernel } = &self.checked;
        let mut text = format!("hhrf {version}, --jail {jail}, runner {runner}, uid {uid}, Linux {kernel}\n");
        let mut group = "";
        for (executors, row) in &lines {
            if row.group != group {
                group = &row.group;
                writeln!(text, "{group}").expect(A_STRING);
            }
            let (id, expected, verdict) = (&row.id, row.expected, verdict_label(row.verdict));
            writeln!(
                text,
                "  {verdict:9}  {executors:names$}  {id:ids$}  {expected:expectations$}  {}",
                row.observed
            )
            .expect(A_STRING);
        }
        for (executors, row) in lines.iter().filter(|(_, row)| row.verdict == Verdict::Worked) {
            writeln!(text, "{} ({executors}): a function can {}", row.id, row.tries).expect(A_STRING);
        }
        self.executors.iter().for_each(|executor| text.push_str(&executor.line()));
        text
    }

    /// The rows of the table, with the executors' names: one row for all executors if their verdicts agree, with the
    /// observation of the first; else one for each verdict.
    fn lines(&self) -> Vec<(String, &Row)> {
        let first = self.attempts.first().map(|row| row.execution);
        let of_first = self.attempts.iter().filter(|row| Some(row.execution) == first);
        of_first.flat_map(|row| self.lines_of(&row.id)).collect()
    }

    fn lines_of(&self, id: &str) -> Vec<(String, &Row)> {
        let mut verdicts: Vec<(Vec<&str>, &Row)> = Vec::new();
        for row in self.attempts.iter().filter(|row| row.id == id) {
            let name = row.execution.as_str();
            match verdicts.iter_mut().find(|(_, known)| known.verdict == row.verdict) {
                Some((names, _)) => names.push(name),
                None => verdicts.push((vec![name], row)),
            }
        }
        let label = |names: Vec<&str>| match names.len() {
            1 => names.concat(),
            count if count == self.executors.len() => "all".to_owned(),
            _ => names.join(","),
        };
        verdicts.into_iter().map(|(names, row)| (label(names), row)).collect()
    }
}

impl Executor {
    fn line(&self) -> String {
        let Counts { attempts, held, worked, not_tried, unclear } = self.counts;
        let mut line = self.execution.as_str().to_owned();
        if let Some(separation) = self.separation {
            write!(line, ", kept apart by {separation}").expect(A_STRING);
        }
        write!(line, ": {attempts} attempts: {held} held, {worked} worked, {not_tried} not tried")
            .expect(A_STRING);
        if unclear > 0 {
            write!(line, ", {unclear} unclear").expect(A_STRING);
        }
        line + "\n"
    }
}

impl Counts {
    fn of(rows: &[&Row]) -> Self {
        let of = |verdict: Verdict| rows.iter().filter(|row| row.verdict == verdict).count();
        Self {
            attempts: rows.len(),
            held: of(Verdict::Held),
            worked: of(Verdict::Worked),
            not_tried: of(Verdict::NotTried),
            unclear: of(Verdict::Unclear),
        }
    }
}

fn separation_label(separation: Separation) -> &'static str {
    match separation {
        Separation::PidNamespace => "PID namespaces",
        Separation::LandlockScope => "Landlock scopes",
        Separation::None => "nothing",
    }
}

/// Why fmt::Write can't fail here.
const A_STRING: &str = "writing to a string never fails";

fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Worked => "WORKED",
        Verdict::NotTried => "not tried",
        Verdict::Unclear => "UNCLEAR",
    }
}
