//! What an attempt is: how it is made, and what the host, which judges it, has to know.

use crate::found::Found;
use crate::params::Params;
use crate::probe::Probe;
use crate::state::Own;

/// One attempt to do what a jail forbids.
pub(crate) struct Attempt {
    /// Its name, in requests and in the report.
    pub(crate) id: &'static str,
    /// What it tries, as the end of the sentence "It tries to ...".
    pub(crate) tries: &'static str,
    /// How it is made.
    pub(crate) action: Action,
    /// Under which manifest.
    pub(crate) variant: Variant,
    /// The expected result in a jail.
    pub(crate) expected: Expected,
    /// A file that the machine must have: without it, the attempt would fail even without a jail.
    pub(crate) needs: Option<&'static str>,
}

/// How an attempt is made.
pub(crate) enum Action {
    /// By a function.
    Run(fn(&Params<'_>) -> Found),
    /// By one system call.
    Probe(Probe),
    /// As the attempt of this name, under another manifest.
    Again(&'static str),
    /// In a process that serves again: by two requests (`rewind`).
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "no other processes serve again"))]
    TwoParts(&'static Own),
}

/// The manifests of the attempts, which the host writes.
#[derive(Clone, Copy)]
pub(crate) enum Variant {
    /// Nothing is granted.
    Plain,
    /// Nothing is granted, and the timeout is short.
    Brief,
    /// TCP to one port of this machine is granted, another one than the bait's.
    Network,
    /// A folder to write to is granted.
    Scratch,
}

/// The expected result of an attempt in a jail, which also decides how the host judges it.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// The kernel refuses it, as the module reports, or kills the process by SIGSYS.
    Refused,
    /// The same for executing another program: if that runs, the module sends no response.
    NotReplaced,
    /// Refused, or the process ends at one of its limits.
    Bounded,
    /// The process is killed at its deadline or its limit of processor time.
    Ended,
    /// The host answers, and logs no more than its limit.
    Cut,
    /// No process is left afterwards.
    NothingLeft,
    /// A later request finds nothing.
    NothingFound,
    /// Refused, or killed by SIGSYS; by SIGSEGV if the kernel has no such calls.
    RefusedToOldCalls,
    /// A later request of the same process finds nothing.
    Restored,
    /// No later request runs in the same process, and none finds anything.
    Replaced,
    /// One or the other.
    RestoredOrReplaced,
    /// The host kills the process, and no later request finds anything.
    Killed,
}

impl Attempt {
    /// An attempt that must be refused, under a manifest that grants nothing.
    pub(crate) const fn new(id: &'static str, tries: &'static str, run: fn(&Params<'_>) -> Found) -> Self {
        Self::by(id, tries, Action::Run(run))
    }

    /// The same by one system call.
    pub(crate) const fn probe(id: &'static str, tries: &'static str, probe: Probe) -> Self {
        Self::by(id, tries, Action::Probe(probe))
    }

    /// The attempt `of`, to be made under another manifest, too.
    pub(crate) const fn again(of: &'static str, id: &'static str, tries: &'static str) -> Self {
        Self::by(id, tries, Action::Again(of))
    }

    const fn by(id: &'static str, tries: &'static str, action: Action) -> Self {
        Self { id, tries, action, variant: Variant::Plain, expected: Expected::Refused, needs: None }
    }

    pub(crate) const fn expected(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    pub(crate) const fn needs(self, path: &'static str) -> Self {
        Self { needs: Some(path), ..self }
    }

    pub(crate) const fn under(self, variant: Variant) -> Self {
        Self { variant, ..self }
    }
}

/// `"id" "what it tries": call number (arguments);`, one a line, as attempts.
macro_rules! probes {
    ($($id:literal $tries:literal: $call:ident $number:ident ($($argument:expr),* $(,)?);)*) => {
        &[$($crate::attempt::Attempt::probe($id, $tries, $crate::probe::Probe {
            call: stringify!($call),
            number: libc::$number,
            arguments: || vec![$($argument as usize),*],
        })),*]
    };
}
pub(crate) use probes;
