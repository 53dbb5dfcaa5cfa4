//! What is known of a zygote's children, and who is to hear of their end.

use super::child::{Held, Leave};
use super::wear::{Verdict, Wear};
use rustix::process::Signal;
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The children that were ordered, until their end is known, and heard of by whom it concerns.
#[derive(Debug, Default)]
pub(super) struct ChildTable {
    children: HashMap<u64, ChildEntry>,
    wear: Wear,
}

#[derive(Debug)]
struct ChildEntry {
    duty: Duty,
    stage: Stage,
}

/// What is to be judged of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// It has no request: nothing but an end that nobody asked for.
    Free,
    /// What comes of its request.
    Serving,
    /// It is judged.
    Judged,
}

#[derive(Debug)]
enum Stage {
    /// It lives, as far as is known.
    Living,
    /// Somebody waits for its end, who has no response of it.
    Awaited(oneshot::Sender<ChildEnd>),
    /// Nobody does, but what its request held is to be given back then.
    Leaving { since: Instant, leave: Leave, is_killed: bool, held: Option<Held> },
    /// It has ended before anybody asked.
    Ended(ChildEnd),
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildEnd {
    /// As its parent says.
    Exited(ExitStatus),
    /// Killed for its memory.
    OutOfMemory,
    /// It was never born: errno(3), as its parent says it, who may say any number.
    NotForked(i32),
}

impl ChildEnd {
    /// Whether it is no orderly exit, and not the doing of this host, where that has killed the child.
    fn is_abnormal(self, is_killed: bool) -> bool {
        match self {
            Self::Exited(status) if is_killed && status.signal() == Some(Signal::KILL.as_raw()) => false,
            Self::Exited(status) => !status.success(),
            Self::OutOfMemory => true,
            // None of the module's code has run.
            Self::NotForked(_) => false,
        }
    }

    /// What it says of a child that has given no response.
    fn without_response(self) -> Verdict {
        if matches!(self, Self::NotForked(_)) { Verdict::Normal } else { Verdict::Abnormal }
    }
}

impl Duty {
    fn judge(&mut self, verdict: Verdict, wear: &mut Wear) {
        match std::mem::replace(self, Self::Judged) {
            Self::Free => wear.judge(verdict),
            Self::Serving => wear.end(verdict),
            Self::Judged => {}
        }
    }
}

/// What comes of waiting for a child's end.
#[derive(Debug)]
pub(super) enum Wait {
    /// It has ended.
    Over(ChildEnd),
    /// It will be told; or not, where its zygote has ended with it.
    Until(oneshot::Receiver<ChildEnd>),
    /// Its zygote has ended with it.
    Gone,
}

/// A child that has answered has nothing left to do but to exit.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// A child that was killed is reaped at once, but for much memory, or a machine that hangs.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// What no zygote says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidReport;

impl ChildTable {
    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// What came of all of them.
    pub(super) fn wear(&self) -> &Wear {
        &self.wear
    }

    /// A child turns out to have ended worse than it was judged.
    pub(super) fn blame(&mut self) {
        self.wear.judge(Verdict::Abnormal);
    }

    /// A child is ordered.
    pub(super) fn begin(&mut self, child: u64) {
        self.children.insert(child, ChildEntry { duty: Duty::Free, stage: Stage::Living });
    }

    /// Gives a child its request. Returns whether it lives, as far as is known.
    pub(super) fn assign(&mut self, child: u64) -> bool {
        match self.children.get_mut(&child) {
            Some(entry @ ChildEntry { duty: Duty::Free, stage: Stage::Living }) => {
                entry.duty = Duty::Serving;
                self.wear.begin();
                true
            }
            _ => false,
        }
    }

    /// Waits for the end of a child whose request has no response, nor will have one.
    pub(super) fn wait(&mut self, child: u64) -> Wait {
        let Some(entry) = self.children.get_mut(&child) else { return Wait::Gone };
        if let Stage::Ended(end) = entry.stage {
            entry.duty.judge(end.without_response(), &mut self.wear);
            return Wait::Over(end);
        }
        let (sender, receiver) = oneshot::channel();
        entry.stage = Stage::Awaited(sender);
        Wait::Until(receiver)
    }

    /// Nobody waits for the child any more. Returns what is to be given back now, because it has ended already, and
    /// whether it is to be killed.
    pub(super) fn leave(&mut self, child: u64, leave: Leave, held: Option<Held>) -> (Option<Held>, bool) {
        let Some(mut entry) = self.children.remove(&child) else { return (held, false) };
        match entry.stage {
            Stage::Ended(_) => {
                entry.duty.judge(leave.verdict(), &mut self.wear);
                (held, false)
            }
            Stage::Leaving { .. } => {
                self.children.insert(child, entry);
                (held, false)
            }
            Stage::Living | Stage::Awaited(_) => {
                // Who waited for the end has seen that there is no response. It counts before its client hears of it.
                if leave.verdict() == Verdict::Abnormal || matches!(entry.stage, Stage::Awaited(_)) {
                    entry.duty.judge(Verdict::Abnormal, &mut self.wear);
                }
                let is_killed = leave.is_by_force();
                entry.stage = Stage::Leaving { since: Instant::now(), leave, is_killed, held };
                self.children.insert(child, entry);
                (None, is_killed)
            }
        }
    }

    /// A child has ended. Returns what is to be given back.
    ///
    /// # Errors
    ///
    /// There is no such child, or it has ended already: no zygote says that.
    pub(super) fn end(&mut self, child: u64, end: ChildEnd) -> Result<Option<Held>, InvalidReport> {
        let mut entry = self.children.remove(&child).ok_or(InvalidReport)?;
        match entry.stage {
            Stage::Ended(_) => {
                self.children.insert(child, entry);
                Err(InvalidReport)
            }
            Stage::Living => {
                if end.is_abnormal(false) {
                    entry.duty.judge(Verdict::Abnormal, &mut self.wear);
                }
                // Else it depends on its response, which may not have been read yet.
                entry.stage = Stage::Ended(end);
                self.children.insert(child, entry);
                Ok(None)
            }
            Stage::Awaited(waiter) => {
                entry.duty.judge(end.without_response(), &mut self.wear);
                // Whoever waited may have gone; and whoever has heard of it needs no entry.
                waiter.send(end).ok();
                Ok(None)
            }
            Stage::Leaving { leave, is_killed, held, .. } => {
                let is_abnormal = end.is_abnormal(is_killed);
                let verdict = if is_abnormal { Verdict::Abnormal } else { leave.verdict() };
                entry.duty.judge(verdict, &mut self.wear);
                Ok(held)
            }
        }
    }

    /// Whether a child was killed, or should have gone, for so long ago that its zygote can't be one any more.
    pub(super) fn is_one_stuck(&self) -> bool {
        let now = Instant::now();
        let is_stuck = |since: &Instant| now.duration_since(*since) > STUCK_AFTER;
        let mut stages = self.children.values().map(|entry| &entry.stage);
        stages.any(|stage| matches!(stage, Stage::Leaving { since, .. } if is_stuck(since)))
    }

    /// The children that should have gone by themselves, each of which is told once.
    pub(super) fn overdue(&mut self) -> Vec<u64> {
        let now = Instant::now();
        let is_overdue = |entry: &mut ChildEntry| match &mut entry.stage {
            Stage::Leaving { since, is_killed, .. }
                if !*is_killed && now.duration_since(*since) > EXIT_GRACE =>
            {
                *is_killed = true;
                true
            }
            _ => false,
        };
        let overdue =
            self.children.iter_mut().filter_map(|(child, entry)| is_overdue(entry).then_some(*child));
        overdue.collect()
    }

    /// All have ended with their zygote, as those see who wait. Returns what is to be given back.
    pub(super) fn end_all(&mut self) -> Vec<Held> {
        let held = |entry: ChildEntry| match entry.stage {
            Stage::Leaving { held, .. } => held,
            _ => None,
        };
        self.children.drain().filter_map(|(_, entry)| held(entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wear::Condition;
    use super::*;

    const CHILD: u64 = 1;

    /// As wait(2) says it.
    fn exited(status: i32) -> ChildEnd {
        ChildEnd::Exited(ExitStatus::from_raw(status))
    }

    const SEGFAULT: i32 = 11;
    const KILLED: i32 = 9;
    const EXIT_1: i32 = 1 << 8;

    #[test]
    fn no_child_ends_twice_or_without_having_been_ordered() {
        let mut children = ChildTable::default();
        let end = ChildEnd::NotForked(0);
        assert!(children.end(CHILD, end).is_err());
        children.begin(CHILD);
        assert!(children.end(CHILD, end).is_ok_and(|held| held.is_none()));
        assert!(children.end(CHILD, end).is_err());
        assert!(matches!(children.wait(CHILD), Wait::Over(over) if over == end));
        assert!(children.leave(CHILD, Leave::GivenUp, None).0.is_none() && children.is_empty());
        assert!(matches!(children.wait(CHILD), Wait::Gone));
    }

    #[test]
    fn a_child_has_one_request() {
        let mut children = ChildTable::default();
        children.begin(CHILD);
        assert!(children.assign(CHILD) && !children.assign(CHILD) && !children.assign(CHILD + 1));
    }

    /// What a zygote is whose children all go this way.
    fn condition_by(walk: impl Fn(&mut ChildTable)) -> Condition {
        let mut children = ChildTable::default();
        for _ in 0..1000 {
            children.begin(CHILD);
            walk(&mut children);
            assert!(children.is_empty());
        }
        children.wear().condition()
    }

    /// Each has a request, of which it parts in this way before and behind its end.
    fn check(leave: Leave, status: i32, expected: Condition) {
        let first = condition_by(|children| {
            assert!(children.assign(CHILD));
            children.leave(CHILD, leave, None);
            children.end(CHILD, exited(status)).unwrap();
        });
        let behind = condition_by(|children| {
            assert!(children.assign(CHILD));
            children.end(CHILD, exited(status)).unwrap();
            children.leave(CHILD, leave, None);
        });
        // What ended by a SIGKILL before this host killed it was killed by somebody else.
        let expected_behind = if status == KILLED { Condition::WornOut } else { expected };
        assert_eq!((first, behind), (expected, expected_behind), "{leave:?} {status}");
    }

    #[test]
    fn an_end_of_any_kind_but_an_exit_behind_an_answer_wears_out() {
        for status in [SEGFAULT, EXIT_1] {
            check(Leave::Answered, status, Condition::WornOut);
            check(Leave::GivenUp, status, Condition::WornOut);
        }
        for status in [0, SEGFAULT, EXIT_1, KILLED] {
            check(Leave::Invalid, status, Condition::WornOut);
        }
        check(Leave::Answered, 0, Condition::Good);
        check(Leave::GivenUp, KILLED, Condition::Old);
        check(Leave::GivenUp, 0, Condition::Old);
    }

    #[test]
    fn an_end_without_an_answer_wears_out_whatever_it_is() {
        let asked_by = |end: Option<ChildEnd>| {
            condition_by(|children| {
                assert!(children.assign(CHILD));
                let wait = children.wait(CHILD);
                if let Some(end) = end {
                    children.end(CHILD, end).unwrap();
                    drop(wait);
                } else {
                    // Its channel is closed, and it goes on to its deadline.
                    children.leave(CHILD, Leave::GivenUp, None);
                    children.end(CHILD, exited(KILLED)).unwrap();
                }
            })
        };
        for end in [exited(0), exited(EXIT_1), exited(SEGFAULT), exited(KILLED), ChildEnd::OutOfMemory] {
            assert_eq!(asked_by(Some(end)), Condition::WornOut, "{end:?}");
        }
        assert_eq!(asked_by(None), Condition::WornOut);
        assert_eq!(asked_by(Some(ChildEnd::NotForked(11))), Condition::Good, "none of the module has run");
    }

    #[test]
    fn a_child_without_a_request_wears_out_only_if_it_crashes_by_itself() {
        let unused = |end| {
            condition_by(|children| {
                children.leave(CHILD, Leave::Unused, None);
                children.end(CHILD, end).unwrap();
            })
        };
        assert_eq!([unused(exited(0)), unused(exited(SEGFAULT))], [Condition::Good, Condition::WornOut]);
    }
}
