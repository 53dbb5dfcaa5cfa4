//! What an attempt is, before it is made.

use crate::catalogue::Execution;

/// One attempt to do what a jail forbids.
#[derive(Debug)]
pub struct Attempt {
    /// Its name, here and in the report.
    pub id: &'static str,
    /// What it tries, as a sentence's end: "It tries to ...".
    pub tries: &'static str,
    /// Its name in the module, where that isn't `id`: the same may be tried under another manifest.
    pub call: Option<&'static str>,
    /// Under which manifest.
    pub variant: Variant,
    /// What holds it.
    pub expected: Expected,
    /// What has to be on this machine, lest its absence is taken for a jail's work.
    pub needs: Option<&'static str>,
}

/// The manifests of the attempts: with each executor, a function of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Nothing is granted.
    Plain,
    /// Nothing is granted, and there is little time.
    Brief,
    /// TCP to one port is granted.
    Network,
    /// A folder to write to is granted.
    Scratch,
}

impl Variant {
    /// Every manifest.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Brief, Self::Network, Self::Scratch];

    /// Whether the manifest grants something that not every machine, nor every wrapper, can grant.
    pub fn is_granted_something(self) -> bool {
        matches!(self, Self::Network | Self::Scratch)
    }

    /// Whether an executor grants what the manifest asks for: forked processes would share a folder.
    pub fn goes_with(self, execution: Execution) -> bool {
        (self, execution) != (Self::Scratch, Execution::Fork)
    }

    /// The id of the function with this manifest and executor.
    pub fn function(self, execution: Execution) -> String {
        let name = match self {
            Self::Plain => "attempts",
            Self::Brief => "attempts-brief",
            Self::Network => "attempts-network",
            Self::Scratch => "attempts-scratch",
        };
        format!("{name}-{}", execution.as_str())
    }
}

/// What an attempt must come to, and so who judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The kernel refuses it, or ends the process by SIGSYS; the module says which.
    Refused,
    /// The same for a program in the process's place: where it runs, the response is none.
    NotReplaced,
    /// Refused, or the process ends at one of its limits.
    Bounded,
    /// The process is ended at its deadline or its processor time.
    Ended,
    /// The host answers, and keeps no more of it than its limit.
    Cut,
    /// Afterwards no process is left.
    NothingLeft,
    /// A later request finds nothing.
    NothingFound,
    /// Refused, or ended by SIGSYS; by another signal where the kernel knows no such calls.
    RefusedToOldCalls,
}

impl Expected {
    /// For the report.
    pub fn words(self) -> &'static str {
        match self {
            Self::Refused | Self::NotReplaced | Self::RefusedToOldCalls => "refused",
            Self::Bounded => "bounded",
            Self::Ended => "ended in time",
            Self::Cut => "cut",
            Self::NothingLeft => "no process left",
            Self::NothingFound => "nothing found",
        }
    }
}

impl Attempt {
    /// An attempt that is refused where nothing is granted.
    pub(super) const fn new(id: &'static str, tries: &'static str) -> Self {
        let (variant, expected) = (Variant::Plain, Expected::Refused);
        Self { id, tries, call: None, variant, expected, needs: None }
    }

    pub(super) const fn expected(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }

    pub(super) const fn needs(self, path: &'static str) -> Self {
        Self { needs: Some(path), ..self }
    }

    pub(super) const fn under(self, variant: Variant) -> Self {
        Self { variant, ..self }
    }

    pub(super) const fn call(self, call: &'static str) -> Self {
        Self { call: Some(call), ..self }
    }
}
