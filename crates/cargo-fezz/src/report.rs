//! Findings, as a table for a person or as JSON for a script.

use crate::terminal::{GREEN, RED, YELLOW, block};
use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    /// It can be served; some of it may fail.
    Warning,
    /// It can't be served.
    Error,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) verdict: Verdict,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

/// A finding, with its fix where the message doesn't say it.
pub(crate) fn finding(
    check: &'static str,
    verdict: Verdict,
    message: String,
    fix: Option<String>,
) -> Finding {
    Finding { check, verdict, message, fix }
}

/// How bad the worst of them is.
pub(crate) fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
}

/// Prints a line for each, and one for its fix.
pub(crate) fn print(findings: &[Finding]) {
    for Finding { check, verdict, message, fix } in findings {
        let (style, word) = match verdict {
            Verdict::Ok => (GREEN, "ok"),
            Verdict::Warning => (YELLOW, "warning"),
            Verdict::Error => (RED, "error"),
        };
        anstream::println!("  {style}{word:<7}{style:#}  {check:<9}  {}", block(message));
        if let Some(fix) = fix {
            anstream::println!("  {:<7}  {:<9}  fix: {}", "", "", block(fix));
        }
    }
}
