//! What is known of a zygote's children, and who is to hear of their end.

use super::child::{Held, Leave};
use rustix::process::Signal;
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The children that were ordered, until their end is known, and heard of by whom it concerns.
#[derive(Debug, Default)]
pub(super) struct Fates(HashMap<u64, Fate>);

#[derive(Debug)]
enum Fate {
    /// It lives, as far as is known.
    Living,
    /// Somebody waits for its end.
    Awaited(oneshot::Sender<ChildEnd>),
    /// Nobody does, but what its request held is to be given back then.
    Leaving { since: Instant, is_killed: bool, held: Option<Held> },
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
    /// Whether a signal ended it that this host hasn't sent.
    pub(super) fn is_crash(self) -> bool {
        let signal = match self {
            Self::Exited(status) => status.signal(),
            Self::OutOfMemory | Self::NotForked(_) => None,
        };
        signal.is_some_and(|signal| signal != Signal::KILL.as_raw())
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
const KEPT_AFTER: Duration = Duration::from_secs(10);

/// What no zygote says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incredible;

impl Fates {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A child is ordered.
    pub(super) fn begin(&mut self, child: u64) {
        self.0.insert(child, Fate::Living);
    }

    /// Whether a child that nobody has used yet still can be.
    pub(super) fn is_living(&self, child: u64) -> bool {
        matches!(self.0.get(&child), Some(Fate::Living))
    }

    pub(super) fn wait(&mut self, child: u64) -> Wait {
        let Some(fate) = self.0.get_mut(&child) else { return Wait::Gone };
        if let Fate::Ended(end) = fate {
            return Wait::Over(*end);
        }
        let (sender, receiver) = oneshot::channel();
        *fate = Fate::Awaited(sender);
        Wait::Until(receiver)
    }

    /// Nobody waits for the child any more. Returns what is to be given back now, because it has ended already, and
    /// whether it is to be killed.
    pub(super) fn leave(&mut self, child: u64, leave: Leave, held: Option<Held>) -> (Option<Held>, bool) {
        match self.0.remove(&child) {
            None | Some(Fate::Ended(_)) => (held, false),
            Some(fate @ Fate::Leaving { .. }) => {
                self.0.insert(child, fate);
                (held, false)
            }
            Some(Fate::Living | Fate::Awaited(_)) => {
                let is_killed = leave == Leave::Killed;
                self.0.insert(child, Fate::Leaving { since: Instant::now(), is_killed, held });
                (None, is_killed)
            }
        }
    }

    /// A child has ended. Returns what is to be given back.
    ///
    /// # Errors
    ///
    /// There is no such child, or it has ended already: no zygote says that.
    pub(super) fn end(&mut self, child: u64, end: ChildEnd) -> Result<Option<Held>, Incredible> {
        Ok(match self.0.remove(&child).ok_or(Incredible)? {
            Fate::Living => {
                self.0.insert(child, Fate::Ended(end));
                None
            }
            ended @ Fate::Ended(_) => {
                self.0.insert(child, ended);
                return Err(Incredible);
            }
            Fate::Awaited(waiter) => {
                // Whoever waited may have gone; and whoever has heard of it needs no entry.
                waiter.send(end).ok();
                None
            }
            Fate::Leaving { held, .. } => held,
        })
    }

    /// Whether a child was killed, or should have gone, for so long ago that its zygote can't be one any more.
    pub(super) fn is_one_kept(&self) -> bool {
        let now = Instant::now();
        let is_kept = |since: &Instant| now.duration_since(*since) > KEPT_AFTER;
        self.0.values().any(|fate| matches!(fate, Fate::Leaving { since, .. } if is_kept(since)))
    }

    /// The children that should have gone by themselves, each of which is told once.
    pub(super) fn overdue(&mut self) -> Vec<u64> {
        let now = Instant::now();
        let is_overdue = |fate: &mut Fate| match fate {
            Fate::Leaving { since, is_killed, .. }
                if !*is_killed && now.duration_since(*since) > EXIT_GRACE =>
            {
                *is_killed = true;
                true
            }
            _ => false,
        };
        let overdue = self.0.iter_mut().filter_map(|(child, fate)| is_overdue(fate).then_some(*child));
        overdue.collect()
    }

    /// All have ended with their zygote, as those see who wait. Returns what is to be given back.
    pub(super) fn end_all(&mut self) -> Vec<Held> {
        let held = |fate| match fate {
            Fate::Leaving { held, .. } => held,
            _ => None,
        };
        self.0.drain().filter_map(|(_, fate)| held(fate)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_child_ends_twice_or_without_having_been_ordered() {
        let mut fates = Fates::default();
        let end = ChildEnd::NotForked(0);
        assert!(fates.end(1, end).is_err());
        fates.begin(1);
        assert!(fates.end(1, end).is_ok_and(|held| held.is_none()));
        assert!(fates.end(1, end).is_err());
        assert!(matches!(fates.wait(1), Wait::Over(over) if over == end));
        assert!(fates.leave(1, Leave::Killed, None).0.is_none() && fates.is_empty());
        assert!(matches!(fates.wait(1), Wait::Gone));
    }

    #[test]
    fn a_crash_is_what_nobody_here_has_done() {
        let ended = |status| ChildEnd::Exited(ExitStatus::from_raw(status));
        // A signal's number is the status of whom it ended (wait(2)).
        assert!(ended(11).is_crash() && !ended(9).is_crash());
        assert!(!ended(1 << 8).is_crash() && !ChildEnd::OutOfMemory.is_crash());
    }
}
