//! The children of a zygote: the state of each, and the request that waits for its end.

use super::wear::{Verdict, Wear};
use crate::execute::lease::{EXIT_GRACE, Lease, Leave};
use rustix::process::Signal;
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The children that were ordered. An entry is kept until the child has ended and its request knows that.
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

/// Which verdict on a child is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    /// It has no request: only an unexpected end is judged.
    Free,
    /// It has a request, whose outcome will be judged.
    Serving,
    /// It is judged.
    Judged,
}

#[derive(Debug)]
enum Stage {
    /// It lives, as far as is known.
    Living,
    /// Its request waits for its end, without a response.
    Awaited(oneshot::Sender<ChildEnd>),
    /// Its request is done; its lease is released at the child's end.
    Leaving { since: Instant, leave: Leave, is_killed: bool, lease: Option<Lease> },
    /// It has ended before its request asked.
    Ended(ChildEnd),
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildEnd {
    /// The exit status that the zygote reports.
    Exited(ExitStatus),
    /// Killed for exceeding the memory limit.
    OutOfMemory,
    /// It was never forked: the errno(3) that the zygote reports, which may be any number.
    NotForked(i32),
}

impl ChildEnd {
    /// Whether it is neither an orderly exit nor the host's own kill.
    fn is_abnormal(self, is_killed: bool) -> bool {
        match self {
            Self::Exited(status) if is_killed && status.signal() == Some(Signal::KILL.as_raw()) => false,
            Self::Exited(status) => !status.success(),
            Self::OutOfMemory => true,
            // None of the module's code has run in it.
            Self::NotForked(_) => false,
        }
    }

    /// The verdict on a child that gave no response.
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

/// The result of waiting for a child's end.
#[derive(Debug)]
pub(super) enum Wait {
    /// It has ended.
    Over(ChildEnd),
    /// The end will be sent; the channel closes if the zygote ends first.
    Until(oneshot::Receiver<ChildEnd>),
    /// Its zygote has ended with it.
    Gone,
}

/// A killed child is reaped at once, unless it has much memory or the machine hangs.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The verdict on a child by how its request left it, unless its exit is worse.
fn verdict(leave: Leave) -> Verdict {
    match leave {
        Leave::Unused | Leave::Answered | Leave::Replaced => Verdict::Normal,
        Leave::Invalid | Leave::Broken => Verdict::Abnormal,
        Leave::GivenUp => Verdict::GivenUp,
    }
}

/// A report that no correct zygote sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidReport;

impl ChildTable {
    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// The verdicts on all of them.
    pub(super) fn wear(&self) -> &Wear {
        &self.wear
    }

    /// A child is ordered.
    pub(super) fn begin(&mut self, child: u64) {
        self.children.insert(child, ChildEntry { duty: Duty::Free, stage: Stage::Living });
    }

    /// Marks a child as having a request. Returns whether it lives, as far as is known, and its zygote may serve.
    pub(super) fn assign(&mut self, child: u64) -> bool {
        match self.children.get_mut(&child) {
            Some(_) if !self.wear.may_serve() => false,
            Some(entry @ ChildEntry { duty: Duty::Free, stage: Stage::Living }) => {
                entry.duty = Duty::Serving;
                self.wear.begin();
                true
            }
            _ => false,
        }
    }

    /// A child has served its request, and may get another. Returns whether it lives, as far as is known.
    pub(super) fn free(&mut self, child: u64) -> bool {
        match self.children.get_mut(&child) {
            Some(entry @ ChildEntry { duty: Duty::Serving, stage: Stage::Living }) => {
                entry.duty.judge(Verdict::Normal, &mut self.wear);
                entry.duty = Duty::Free;
                true
            }
            _ => false,
        }
    }

    /// Waits for the end of a child that will give no response.
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

    /// The request is done with the child. Returns what to release now, if the child has ended already, and whether to
    /// kill it.
    pub(super) fn leave(&mut self, child: u64, leave: Leave, lease: Option<Lease>) -> (Option<Lease>, bool) {
        let Some(mut entry) = self.children.remove(&child) else { return (lease, false) };
        match entry.stage {
            Stage::Ended(_) => {
                entry.duty.judge(verdict(leave), &mut self.wear);
                (lease, false)
            }
            Stage::Leaving { .. } => {
                self.children.insert(child, entry);
                (lease, false)
            }
            Stage::Living | Stage::Awaited(_) => {
                // A request that waited for the end has no response. Counted before its client gets the answer.
                if verdict(leave) == Verdict::Abnormal || matches!(entry.stage, Stage::Awaited(_)) {
                    entry.duty.judge(Verdict::Abnormal, &mut self.wear);
                }
                let is_killed = leave.is_by_force();
                entry.stage = Stage::Leaving { since: Instant::now(), leave, is_killed, lease };
                self.children.insert(child, entry);
                (None, is_killed)
            }
        }
    }

    /// A child has ended. Returns what to release.
    ///
    /// # Errors
    ///
    /// There is no such child, or it has ended already: no correct zygote reports that.
    pub(super) fn end(&mut self, child: u64, end: ChildEnd) -> Result<Option<Lease>, InvalidReport> {
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
                // Otherwise the response decides, which may not have been read yet.
                entry.stage = Stage::Ended(end);
                self.children.insert(child, entry);
                Ok(None)
            }
            Stage::Awaited(waiter) => {
                entry.duty.judge(end.without_response(), &mut self.wear);
                // The request may be gone; and once it has the end, it needs no entry.
                waiter.send(end).ok();
                Ok(None)
            }
            Stage::Leaving { leave, is_killed, lease, .. } => {
                let is_abnormal = end.is_abnormal(is_killed);
                let verdict = if is_abnormal { Verdict::Abnormal } else { verdict(leave) };
                entry.duty.judge(verdict, &mut self.wear);
                Ok(lease)
            }
        }
    }

    /// Whether a child should have ended so long ago that its zygote must be broken.
    pub(super) fn is_one_stuck(&self) -> bool {
        let now = Instant::now();
        let is_stuck = |since: &Instant| now.duration_since(*since) > STUCK_AFTER;
        let mut stages = self.children.values().map(|entry| &entry.stage);
        stages.any(|stage| matches!(stage, Stage::Leaving { since, .. } if is_stuck(since)))
    }

    /// The children that should have exited by now; each is returned once.
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

    /// All have ended with their zygote; requests that wait see their channel closed. Returns what to release.
    pub(super) fn end_all(&mut self) -> Vec<Lease> {
        let lease = |entry: ChildEntry| match entry.stage {
            Stage::Leaving { lease, .. } => lease,
            _ => None,
        };
        self.children.drain().filter_map(|(_, entry)| lease(entry)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wear::Condition;
    use super::*;

    const CHILD: u64 = 1;

    /// A status of wait(2).
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
        assert!(children.end(CHILD, end).is_ok_and(|lease| lease.is_none()));
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

    #[test]
    fn a_child_that_is_free_again_may_have_another_request() {
        let mut children = ChildTable::default();
        children.begin(CHILD);
        assert!(!children.free(CHILD), "it had no request");
        assert!(children.assign(CHILD) && children.free(CHILD) && children.assign(CHILD));
        children.end(CHILD, exited(SEGFAULT)).unwrap();
        assert!(!children.free(CHILD), "it has ended");
        children.leave(CHILD, Leave::Broken, None);
        assert_eq!((children.wear().requests(), children.wear().abnormal()), (2, 1));
    }

    /// The condition of a zygote all of whose children go through `life`, as long as it may serve.
    fn condition_by(life: impl Fn(&mut ChildTable)) -> Condition {
        let mut children = ChildTable::default();
        for _ in 0..1000 {
            if children.wear().may_serve() {
                children.begin(CHILD);
                life(&mut children);
                assert!(children.is_empty());
            }
        }
        assert!(!children.wear().may_serve() || children.wear().condition() < Condition::WornOut);
        children.wear().condition()
    }

    /// Each child has a request, which leaves it in this way before and after its end.
    fn check(leave: Leave, status: i32, expected: Condition) {
        let first = condition_by(|children| {
            assert!(children.assign(CHILD));
            children.leave(CHILD, leave, None);
            children.end(CHILD, exited(status)).unwrap();
        });
        let after = condition_by(|children| {
            assert!(children.assign(CHILD));
            children.end(CHILD, exited(status)).unwrap();
            children.leave(CHILD, leave, None);
        });
        // What ended by a SIGKILL before this host killed it was not killed by this host.
        let expected_after = if status == KILLED { Condition::WornOut } else { expected };
        assert_eq!((first, after), (expected, expected_after), "{leave:?} {status}");
    }

    #[test]
    fn any_end_but_an_exit_after_an_answer_wears_out() {
        for status in [SEGFAULT, EXIT_1] {
            check(Leave::Answered, status, Condition::WornOut);
            check(Leave::GivenUp, status, Condition::WornOut);
        }
        for status in [0, SEGFAULT, EXIT_1, KILLED] {
            check(Leave::Invalid, status, Condition::WornOut);
            check(Leave::Broken, status, Condition::WornOut);
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
