//! Attempts on processes that are put back to a snapshot after each request (`"execution": "rewind"`), by the steps that
//! `rewind` of `fezz-attempts` describes. An attempt shows something only if a process that can be put back made it, and
//! if it is known whether a later request ran in the same process. And the host compares each process with its snapshot,
//! after each request: a difference ends the check.

use super::attempt::{Attempt, Expected, Variant};
use super::client::Answer;
use super::error::CheckError;
use super::judge::{Judgement, ModuleReport, Result as Reported, Verdict};
use super::run::{Check, Selection, has_worked};
use super::site::SPARE;
use crate::catalogue::Execution;
use crate::execute::rewind::Rewinding;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often an attempt is made until a later request has met its process.
const TRIES: u32 = 6;

/// Later requests after each mark. The process that served last is the first to serve again; but the host compares it
/// with its snapshot first, and meanwhile another may serve.
const LOOKS: u32 = 4;

/// The time in which the host prepares a process, even after a preparation that failed.
const PREPARED_MAX: Duration = Duration::from_secs(20);

/// The time in which it usually has prepared all that it wants.
const REFILLED_MAX: Duration = Duration::from_millis(250);

const INTERVAL: Duration = Duration::from_millis(5);

/// The attempt that leaves nothing.
const NOTHING: &str = "serve-again";

/// Signals by which an error in the module itself ends its process.
const SIGNALS_OF_ERRORS: [&str; 6] = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGABRT"];

/// What a later request reports.
struct Look {
    answer: Answer,
    has_found: bool,
    process: Option<u64>,
}

/// How a step `mark` ended.
enum Mark {
    /// In this process.
    Left(u64),
    /// By a process that can't be put back, or not at all.
    NotLeft(Answer),
}

impl Check<'_> {
    /// Waits until the function's processes are put back, if that is how this executor works.
    pub(super) async fn note_rewinding(
        &mut self,
        variant: Variant,
        execution: Execution,
    ) -> Result<(), CheckError> {
        if execution == Execution::Rewind
            && let Some(reason) = self.await_rewinding(variant).await?
        {
            self.unsupported.insert(variant.function(execution), reason);
        }
        Ok(())
    }

    /// Where `rewind` alone is asked for, that it doesn't work here is no result, but an error.
    pub(super) fn check_is_rewound(
        &self,
        execution: Execution,
        selection: &Selection,
    ) -> Result<(), CheckError> {
        let function = Variant::Plain.function(execution);
        match self.unsupported.get(&function) {
            Some(reason) if execution == Execution::Rewind && selection.executor == Some(execution) => {
                Err(CheckError::NotRewound { function, reason: reason.clone() })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn is_unsupported(&self, variant: Variant, execution: Execution) -> bool {
        self.unsupported.contains_key(&variant.function(execution))
    }

    /// Waits until a process of the function has served two requests; the reason if that is impossible here.
    async fn await_rewinding(&self, variant: Variant) -> Result<Option<String>, CheckError> {
        let nothing = Attempt { expected: Expected::Restored, ..Attempt::none(NOTHING, variant) };
        let start = Instant::now();
        while start.elapsed() < PREPARED_MAX {
            self.check_not_defective(variant)?;
            if let Some(Rewinding::Impossible(reason)) = self.rewinding(variant) {
                return Ok(Some(reason.to_string()));
            }
            self.await_parked(variant).await;
            let first = self.look(&nothing).await?.process;
            self.await_parked(variant).await;
            if first.is_some() && first == self.look(&nothing).await?.process {
                return Ok(None);
            }
        }
        let (function, seconds) = (variant.function(Execution::Rewind), PREPARED_MAX.as_secs());
        let reason = format!("no process served two requests within {seconds} s: {}", self.log.words());
        Err(CheckError::NotRewound { function, reason })
    }

    /// Checks that the host found no difference between a process and its snapshot.
    pub(super) fn check_not_defective(&self, variant: Variant) -> Result<(), CheckError> {
        match self.rewinding(variant) {
            Some(Rewinding::Defective(difference)) => {
                let (function, reason) = (variant.function(Execution::Rewind), difference.to_string());
                Err(CheckError::Difference { function, reason })
            }
            _ => Ok(()),
        }
    }

    /// Checks that processes of the function are still put back, and were compared. For the end of the check.
    pub(super) async fn check_still_rewinds(&self, variant: Variant) -> Result<(), CheckError> {
        let function = variant.function(Execution::Rewind);
        if let Some(reason) = self.await_rewinding(variant).await? {
            return Err(CheckError::NotRewound { function, reason });
        }
        let rewinds = self.host.metrics.rewinds.of(&format!("{function}@v1"));
        match rewinds.comparisons.get() {
            0 => Err(CheckError::NotRewound { function, reason: "no process was compared".to_owned() }),
            _ => self.check_not_defective(variant),
        }
    }

    /// Makes an attempt by requests that should run in the same process.
    pub(super) async fn in_two_parts(&mut self, attempt: &Attempt) -> Result<Judgement, CheckError> {
        self.await_parked(attempt.variant).await;
        let control = self.ask(attempt, Execution::Rewind, "control").await?;
        if !has_worked(&control) {
            return Ok(self.judged(attempt, &control, None));
        }
        let mut last = not_tried("only processes that were forked for one request served");
        for _ in 0..TRIES {
            self.log.clear();
            let process = match self.mark(attempt).await? {
                Mark::Left(process) => process,
                Mark::NotLeft(answer) => {
                    if !has_worked(&answer) {
                        last = self.judged(attempt, &answer, None);
                    }
                    continue;
                }
            };
            let end = self.log.problem();
            if let Some(judgement) = self.look_for(attempt, process).await? {
                return Ok(judgement);
            }
            last = match attempt.expected {
                Expected::Restored => not_tried("no later request met the same process"),
                _ => others_serve(&end),
            };
            if matches!(attempt.expected, Expected::Replaced | Expected::Killed) {
                break;
            }
        }
        Ok(last)
    }

    /// Leaves the attempt's mark.
    async fn mark(&self, attempt: &Attempt) -> Result<Mark, CheckError> {
        self.await_parked(attempt.variant).await;
        // While the pool prepares one more, it may have no use for the one that has served.
        self.await_idle(attempt.variant, SPARE as usize + 1, REFILLED_MAX).await;
        let answer = self.ask(attempt, Execution::Rewind, "mark").await?;
        let is_end = attempt.expected == Expected::Killed && answer.status != 200;
        let reason = self.log.problem();
        let is_error = SIGNALS_OF_ERRORS.iter().any(|signal| reason.contains(signal));
        let is_left = has_worked(&answer) || (is_end && !is_error);
        Ok(match self.log.rewound_process() {
            Some(process) if is_left => Mark::Left(process),
            // A process that was forked for this request alone serves no other anyway.
            _ => Mark::NotLeft(answer),
        })
    }

    /// Looks for the mark that `marked` has; `None` if no request met this process, nor the mark.
    async fn look_for(&self, attempt: &Attempt, marked: u64) -> Result<Option<Judgement>, CheckError> {
        let is_put_back = matches!(attempt.expected, Expected::Restored | Expected::RestoredOrReplaced);
        for _ in 0..if is_put_back { LOOKS } else { LOOKS / 2 } {
            self.await_parked(attempt.variant).await;
            let Look { answer, has_found, process } = self.look(attempt).await?;
            if answer.status != 200 || has_found {
                return Ok(Some(self.judged(attempt, &answer, None)));
            }
            if process == Some(marked) {
                let again = "the process serves again".to_owned();
                let seen =
                    [Expected::Replaced, Expected::Killed].contains(&attempt.expected).then_some(again);
                return Ok(Some(self.judged(attempt, &answer, seen)));
            }
        }
        Ok(None)
    }

    async fn look(&self, attempt: &Attempt) -> Result<Look, CheckError> {
        self.log.clear();
        let answer = self.ask(attempt, Execution::Rewind, "look").await?;
        let report = serde_json::from_slice::<ModuleReport>(&answer.body).ok();
        let has_found = report.is_none_or(|report| report.result == Reported::Worked);
        Ok(Look { answer, has_found, process: self.log.rewound_process() })
    }

    /// Waits until a process that can be put back is idle. If there is none, the caller notices.
    async fn await_parked(&self, variant: Variant) {
        self.await_idle(variant, 1, PREPARED_MAX).await;
    }

    async fn await_idle(&self, variant: Variant, count: usize, time_max: Duration) {
        let idle = || self.stats(variant, Execution::Rewind).map_or(0, |stats| stats.idle);
        let start = Instant::now();
        while idle() < count && start.elapsed() < time_max {
            sleep(INTERVAL).await;
        }
    }

    fn rewinding(&self, variant: Variant) -> Option<Rewinding> {
        self.stats(variant, Execution::Rewind)?.rewinding
    }
}

/// No later request met the process; `end` is how the host ended it, if it did.
fn others_serve(end: &str) -> Judgement {
    const OTHERS: &str = "other processes serve the later requests";
    let observed = if end.is_empty() { OTHERS.to_owned() } else { format!("{end}; {OTHERS}") };
    Judgement { verdict: Verdict::Held, observed }
}

fn not_tried(observed: &str) -> Judgement {
    Judgement { verdict: Verdict::NotTried, observed: observed.to_owned() }
}
