//! What is known of a zygote's children, and who is to hear of their end.

use super::child::{Held, Leave};
use rustix::io::Errno;
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
    /// It was never born.
    NotForked(Errno),
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
    pub(super) fn end(&mut self, child: u64, end: ChildEnd) -> Option<Held> {
        match self.0.remove(&child)? {
            Fate::Living | Fate::Ended(_) => {
                self.0.insert(child, Fate::Ended(end));
                None
            }
            Fate::Awaited(waiter) => {
                // Whoever waited may have gone; and whoever has heard of it needs no entry.
                waiter.send(end).ok();
                None
            }
            Fate::Leaving { held, .. } => held,
        }
    }

    /// The children that should have gone by themselves, each of which is told once.
    pub(super) fn overdue(&mut self) -> Vec<u64> {
        let is_overdue = |fate: &mut Fate| match fate {
            Fate::Leaving { since, is_killed, .. } if !*is_killed && since.elapsed() > EXIT_GRACE => {
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
