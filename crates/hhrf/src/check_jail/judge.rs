//! Judges an attempt: first by what reached a bait or was left running, then by how the process ended, then by the
//! module's report.

use super::attempt::{Attempt, Expected};
use super::client::Answer;
use super::machine::Machine;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Held,
    Worked,
    /// This machine lacks what the attempt needs.
    NotTried,
    /// The attempt ended in a way that neither shows that the jail held nor that it didn't.
    Unclear,
}

#[derive(Debug)]
pub(super) struct Judgement {
    pub verdict: Verdict,
    pub observed: String,
}

/// Everything that is known of an attempt.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub answer: &'a Answer,
    /// What reached a bait, or was left running.
    pub seen: Option<String>,
    /// Why there is no response of the function: from the host's log.
    pub reason: String,
    /// How much of the function's output is in the log.
    pub logged_bytes: usize,
    pub logged_bytes_max: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModuleReport {
    pub result: Result,
    detail: String,
    /// The system call that the kernel, or a filter, reports as unknown.
    call: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Result {
    Refused,
    Worked,
    Untried,
    /// The attempt wouldn't notice if it worked.
    Blind,
}

/// The signals by which limits end a process, as the host's log names them.
const SIGNALS_OF_LIMITS: [&str; 3] = ["SIGKILL", "SIGXCPU", "signal 25"];

/// Judges an attempt by its evidence.
pub(super) fn judge(attempt: &Attempt, evidence: Evidence<'_>, machine: &Machine) -> Judgement {
    if let Some(seen) = evidence.seen {
        return Judgement { verdict: Verdict::Worked, observed: seen };
    }
    if evidence.answer.status != 200 {
        return judge_failure(attempt, evidence.answer, evidence.reason);
    }
    let Ok(report) = serde_json::from_slice::<ModuleReport>(&evidence.answer.body) else {
        // A program that was executed in the module's place may write a whole response.
        return Judgement {
            verdict: Verdict::Worked,
            observed: "a response that isn't the module's".to_owned(),
        };
    };
    if attempt.expected == Expected::Cut && evidence.logged_bytes > evidence.logged_bytes_max {
        let (bytes, most) = (evidence.logged_bytes, evidence.logged_bytes_max);
        let observed = format!("{bytes} bytes in the host's log, the limit is {most}");
        return Judgement { verdict: Verdict::Worked, observed };
    }
    judge_report(report, machine)
}

fn judge_report(report: ModuleReport, machine: &Machine) -> Judgement {
    let is_missing = |call: &String| machine.has_call(call) != Some(true);
    let verdict = match (report.result, report.call.as_ref()) {
        (Result::Worked, _) => Verdict::Worked,
        (Result::Untried, _) => Verdict::NotTried,
        (Result::Blind, _) => Verdict::Unclear,
        (Result::Refused, Some(call)) if is_missing(call) => Verdict::NotTried,
        (Result::Refused, _) => Verdict::Held,
    };
    let observed = match verdict {
        Verdict::NotTried if report.call.is_some() => {
            format!("{}, this kernel lists no such call", report.detail)
        }
        _ => report.detail,
    };
    Judgement { verdict, observed }
}

/// Judges a process that ended without a report.
fn judge_failure(attempt: &Attempt, answer: &Answer, reason: String) -> Judgement {
    let kind = answer.kind.as_str();
    // A limit ends a process by SIGKILL, SIGXCPU or SIGXFSZ; other signals are a bug, and say nothing about the jail.
    let is_ended = matches!(kind, "out_of_memory" | "deadline_exceeded")
        || (kind == "function_crashed" && SIGNALS_OF_LIMITS.iter().any(|signal| reason.contains(signal)));
    let verdict = match attempt.expected {
        // A seccomp filter has killed the process (seccomp(2)).
        _ if reason.contains("SIGSYS") => Verdict::Held,
        Expected::Bounded | Expected::Ended if is_ended => Verdict::Held,
        // Without CONFIG_IA32_EMULATION the interrupt is a fault.
        Expected::RefusedToOldCalls if reason.contains("SIGSEGV") => Verdict::NotTried,
        Expected::NotReplaced if matches!(kind, "invalid_response" | "runner_failed" | "module_failed") => {
            Verdict::Worked
        }
        // The host knows that a forked process ran, whatever its exit status; the module itself never exits.
        Expected::NotReplaced if kind == "function_crashed" && reason.contains("exited with status") => {
            Verdict::Worked
        }
        _ => Verdict::Unclear,
    };
    let observed = match (verdict, attempt.expected) {
        (Verdict::Worked, _) => format!("another program ran in the module's place: {kind}: {reason}"),
        _ => format!("{} {kind}: {reason}", answer.status),
    };
    Judgement { verdict, observed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_jail::attempt::Variant;

    fn check(expected: Expected, status: u16, kind: &str, text: &str, verdict: Verdict) {
        let attempt = Attempt { expected, ..Attempt::none("attempt", Variant::Plain) };
        let answer = Answer { status, kind: kind.to_owned(), body: text.as_bytes().to_vec() };
        let (reason, logged_bytes, logged_bytes_max) = (text.to_owned(), 0, 1);
        let evidence = Evidence { answer: &answer, seen: None, reason, logged_bytes, logged_bytes_max };
        let judged = judge(&attempt, evidence, &Machine::look());
        assert_eq!(judged.verdict, verdict, "{expected:?} {status} {kind} {text}");
    }

    #[test]
    fn the_modules_report_counts_if_nothing_else_was_seen() {
        check(Expected::Refused, 200, "", r#"{"result":"refused","detail":"EPERM"}"#, Verdict::Held);
        check(Expected::Refused, 200, "", r#"{"result":"worked","detail":"done"}"#, Verdict::Worked);
        check(Expected::Refused, 200, "", r#"{"result":"untried","detail":"no disk"}"#, Verdict::NotTried);
        let unknown = r#"{"result":"refused","detail":"fezz: ENOSYS","call":"fezz_none"}"#;
        check(Expected::Refused, 200, "", unknown, Verdict::NotTried);
        check(Expected::Restored, 200, "", r#"{"result":"blind","detail":""}"#, Verdict::Unclear);
        check(Expected::NotReplaced, 200, "", "a response of another program", Verdict::Worked);
    }

    #[test]
    fn an_end_of_the_process_counts_as_held_only_if_a_limit_or_a_filter_caused_it() {
        let (killed, filtered, fault) =
            ("killed by signal 9 (SIGKILL", "signal 31 (SIGSYS", "signal 11 (SIGSEGV");
        check(Expected::Refused, 502, "function_crashed", filtered, Verdict::Held);
        check(Expected::Refused, 502, "function_crashed", fault, Verdict::Unclear);
        check(Expected::Refused, 502, "function_crashed", killed, Verdict::Unclear);
        check(Expected::Refused, 504, "deadline_exceeded", "", Verdict::Unclear);
        check(Expected::Bounded, 502, "function_crashed", killed, Verdict::Held);
        check(Expected::Bounded, 502, "function_crashed", fault, Verdict::Unclear);
        check(Expected::Bounded, 502, "out_of_memory", "", Verdict::Held);
        check(Expected::Ended, 504, "deadline_exceeded", "", Verdict::Held);
        check(Expected::RefusedToOldCalls, 502, "function_crashed", fault, Verdict::NotTried);
        check(Expected::NotReplaced, 502, "invalid_response", "", Verdict::Worked);
        check(Expected::NotReplaced, 502, "function_crashed", "exited with status 127", Verdict::Worked);
        check(Expected::Refused, 502, "function_crashed", "exited with status 127", Verdict::Unclear);
    }
}
