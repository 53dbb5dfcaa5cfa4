//! What an attempt is, before it is made.

use crate::catalogue::Execution;

/// One attempt to do what a jail forbids.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Its name, here and in the report.
    pub id: &'static str,
    /// What it tries, as the end of the sentence "It tries to ...".
    pub tries: &'static str,
    /// Its name in the module, if that isn't `id`: several attempts may make the same call under different manifests.
    pub call: Option<&'static str>,
    /// Under which manifest.
    pub variant: Variant,
    /// The expected result in a jail.
    pub expected: Expected,
    /// A file that this machine must have: without it, the attempt would fail even without a jail.
    pub needs: Option<&'static str>,
}

/// The manifests of the attempts. There is a function for each manifest and executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Nothing is granted.
    Plain,
    /// Nothing is granted, and the timeout is short.
    Brief,
    /// TCP to one port is granted.
    Network,
    /// A folder to write to is granted.
    Scratch,
}

impl Variant {
    /// Every manifest.
    pub(super) const ALL: [Self; 4] = [Self::Plain, Self::Brief, Self::Network, Self::Scratch];

    /// Whether the manifest grants something that not all machines and wrappers support.
    pub(super) fn has_grant(self) -> bool {
        matches!(self, Self::Network | Self::Scratch)
    }

    /// Whether an executor supports the manifest: forked processes would share a scratch folder.
    pub(super) fn is_supported_by(self, execution: Execution) -> bool {
        (self, execution) != (Self::Scratch, Execution::Fork)
    }

    /// The id of the function with this manifest and executor.
    pub(super) fn function(self, execution: Execution) -> String {
        let name = match self {
            Self::Plain => "attempts",
            Self::Brief => "attempts-brief",
            Self::Network => "attempts-network",
            Self::Scratch => "attempts-scratch",
        };
        format!("{name}-{}", execution.as_str())
    }
}

/// The expected result of an attempt in a jail, which also decides how it is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
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
}

impl Expected {
    /// The text for the report.
    pub(super) fn label(self) -> &'static str {
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
    /// An attempt that must be refused, under a manifest that grants nothing.
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
