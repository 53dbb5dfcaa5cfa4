//! What an attempt is, before it is made, as the module describes it (`list.rs` of `fezz-attempts`).

use crate::catalogue::Execution;
use serde::Deserialize;

/// A theme.
#[derive(Debug, Deserialize)]
pub(super) struct Group {
    /// Its name, for `--only`.
    pub name: String,
    /// What it tries.
    pub attempts: Vec<Attempt>,
}

/// One attempt to do what a jail forbids.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Attempt {
    /// Its name, in requests and in the report.
    pub id: String,
    /// What it tries, as the end of the sentence "It tries to ...".
    pub tries: String,
    /// Under which manifest.
    pub variant: Variant,
    /// The expected result in a jail.
    pub expected: Expected,
    /// A file that this machine must have: without it, the attempt would fail even without a jail.
    pub needs: Option<String>,
}

/// The manifests of the attempts. There is a function for each manifest and executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
        self != Self::Scratch || !matches!(execution, Execution::Fork | Execution::Rewind)
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// A later request of the same process finds nothing.
    Restored,
    /// No later request runs in the same process, and none finds anything.
    Replaced,
    /// One or the other.
    RestoredOrReplaced,
    /// The host kills the process, and no later request finds anything.
    Killed,
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
            Self::Restored => "put back",
            Self::Replaced => "replaced",
            Self::RestoredOrReplaced => "put back, or replaced",
            Self::Killed => "killed",
        }
    }

    /// Whether the attempt is made by several requests to a process that is put back after each.
    pub(super) fn needs_rewinding(self) -> bool {
        matches!(self, Self::Restored | Self::Replaced | Self::RestoredOrReplaced | Self::Killed)
    }
}

impl Attempt {
    /// A request that attempts nothing.
    pub(super) fn none(id: &str, variant: Variant) -> Self {
        let tries = "answer".to_owned();
        Self { id: id.to_owned(), tries, variant, expected: Expected::Refused, needs: None }
    }
}
