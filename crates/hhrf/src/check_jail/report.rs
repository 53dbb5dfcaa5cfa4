//! What is printed: a table for people, JSON for machines.

use super::judge::Verdict;
use crate::settings::Settings;
use clap::ValueEnum;
use serde::Serialize;
use std::fmt::Write;

/// The form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table and a line of counts.
    Text,
    /// One JSON object.
    Json,
}

/// The outcome of a whole check.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was checked, and where.
    pub checked: Checked,
    /// How many attempts came to what.
    pub counts: Counts,
    /// Each, in the order in which they were made.
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
    /// Counts the rows.
    pub fn new(checked: Checked, attempts: Vec<Row>) -> Self {
        let of = |verdict: Verdict| attempts.iter().filter(|row| row.verdict == verdict).count();
        let counts = Counts {
            attempts: attempts.len(),
            held: of(Verdict::Held),
            worked: of(Verdict::Worked),
            not_tried: of(Verdict::NotTried),
            unclear: of(Verdict::Unclear),
        };
        Self { checked, counts, attempts }
    }

    /// Whether the jail held whatever could be tried; a check that tried nothing has shown nothing.
    pub fn all_held(&self) -> bool {
        self.counts.held > 0 && self.counts.worked == 0 && self.counts.unclear == 0
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
        for row in &self.attempts {
            if row.group != group {
                group = row.group;
                writeln!(text, "{group}").expect(A_STRING);
            }
            let (id, expected, verdict) = (row.id, row.expected, word(row.verdict));
            writeln!(text, "  {verdict:9}  {id:ids$}  {expected:expectations$}  {}", row.observed)
                .expect(A_STRING);
        }
        for row in self.attempts.iter().filter(|row| row.verdict == Verdict::Worked) {
            writeln!(text, "{}: a function can {}", row.id, row.tries).expect(A_STRING);
        }
        let Counts { attempts, held, worked, not_tried, unclear } = self.counts;
        write!(text, "{attempts} attempts: {held} held, {worked} worked, {not_tried} not tried")
            .expect(A_STRING);
        if unclear > 0 {
            write!(text, ", {unclear} unclear").expect(A_STRING);
        }
        text + "\n"
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
