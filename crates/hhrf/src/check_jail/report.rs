//! What is printed: a table for people, JSON for machines.

use super::judge::Verdict;
use crate::catalogue::Execution;
use crate::settings::Settings;
use clap::ValueEnum;
use fezz_wire::control::Separation;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write;

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
    pub checked: Checked,
    /// By which executors, and what came of it.
    pub executors: Vec<Executor>,
    /// Each attempt under each executor, in the order in which they were made.
    pub attempts: Vec<Row>,
}

/// What was checked, and where: the same elsewhere may hold less.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// This program's.
    pub version: &'static str,
    /// How modules were confined.
    pub jail: &'static str,
    /// The runner, or wrapper.
    pub runner: String,
    /// Who the host is.
    pub uid: u32,
    /// The kernel's release.
    pub kernel: String,
}

impl Checked {
    /// By these settings, here and now.
    pub fn new(settings: &Settings) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            jail: settings.jail.as_str(),
            runner: settings.runner.display().to_string(),
            uid: rustix::process::geteuid().as_raw(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }
}

/// What came of all attempts under one executor.
#[derive(Debug, Serialize)]
pub struct Executor {
    /// Its name.
    pub execution: Execution,
    /// What keeps forked processes apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separation: Option<&'static str>,
    /// How many attempts came to what.
    pub counts: Counts,
}

/// How many attempts came to what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All.
    pub attempts: usize,
    /// Those that the jail held.
    pub held: usize,
    /// Those that worked.
    pub worked: usize,
    /// Those for which this machine hasn't got what they are about.
    pub not_tried: usize,
    /// Those that ended in a way that tells nothing.
    pub unclear: usize,
}

/// One attempt.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Under which executor.
    pub execution: Execution,
    /// Its theme.
    pub group: &'static str,
    /// Its name.
    pub id: &'static str,
    /// What it tries.
    pub tries: &'static str,
    /// What should come of it.
    pub expected: &'static str,
    /// What came of it.
    pub observed: String,
    /// What that says of the jail.
    pub verdict: Verdict,
}

impl Report {
    /// Counts the rows. `separation` is what the zygotes said that forked their processes.
    pub fn new(checked: Checked, separation: Option<Separation>, attempts: Vec<Row>) -> Self {
        let of = |execution| {
            let rows: Vec<&Row> = attempts.iter().filter(|row| row.execution == execution).collect();
            let separation = separation.filter(|_| execution == Execution::Fork).map(means);
            (!rows.is_empty()).then(|| Executor { execution, separation, counts: Counts::of(&rows) })
        };
        Self { checked, executors: Execution::ALL.into_iter().filter_map(of).collect(), attempts }
    }

    /// Whether the jail held whatever could be tried; a check that tried nothing has shown nothing.
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
        let (ids, expectations) = (width(|row| row.id), width(|row| row.expected));
        let Checked { version, jail, runner, uid, kernel } = &self.checked;
        let mut text = format!("hhrf {version}, --jail {jail}, runner {runner}, uid {uid}, Linux {kernel}\n");
        let mut group = "";
        for (executors, row) in self.lines() {
            if row.group != group {
                group = row.group;
                writeln!(text, "{group}").expect(A_STRING);
            }
            let (id, expected, verdict) = (row.id, row.expected, word(row.verdict));
            writeln!(
                text,
                "  {verdict:9}  {executors:5}  {id:ids$}  {expected:expectations$}  {}",
                row.observed
            )
            .expect(A_STRING);
        }
        for (executors, row) in self.lines().filter(|(_, row)| row.verdict == Verdict::Worked) {
            writeln!(text, "{} ({executors}): a function can {}", row.id, row.tries).expect(A_STRING);
        }
        self.executors.iter().for_each(|executor| text.push_str(&executor.line()));
        text
    }

    /// The lines of the table: one for all executors where they came to the same, by the words of the first; with their
    /// names.
    fn lines(&self) -> impl Iterator<Item = (&'static str, &Row)> {
        let ids = |execution| {
            let rows = self.attempts.iter().filter(move |row| row.execution == execution);
            rows.map(|row| (row.id, row)).collect::<HashMap<_, _>>()
        };
        let (spawned, forked) = (ids(Execution::Spawn), ids(Execution::Fork));
        let first = self.attempts.first().map(|row| row.execution);
        let of_first = self.attempts.iter().filter(move |row| Some(row.execution) == first);
        of_first.flat_map(move |row| match (spawned.get(row.id), forked.get(row.id)) {
            (Some(some), Some(other)) if some.verdict == other.verdict => vec![("both", *some)],
            both => [("spawn", both.0), ("fork", both.1)]
                .into_iter()
                .filter_map(|(name, row)| Some((name, *row?)))
                .collect(),
        })
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

fn means(separation: Separation) -> &'static str {
    match separation {
        Separation::PidNamespace => "PID namespaces",
        Separation::LandlockScope => "Landlock scopes",
        Separation::None => "nothing",
    }
}

/// fmt::Write's errors are the writer's.
const A_STRING: &str = "a string takes what is written";

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Worked => "WORKED",
        Verdict::NotTried => "not tried",
        Verdict::Unclear => "UNCLEAR",
    }
}
