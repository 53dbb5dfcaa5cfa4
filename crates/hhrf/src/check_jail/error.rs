//! Why a check has no result.

use super::baits::BaitError;
use super::site::SiteError;
use crate::jail::JailError;
use crate::release::StoreError;
use crate::server::BuildError;
use std::io;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No such attempts.
    #[error("there is no {what} `{name}`: there are {}", known.join(", "))]
    Unknown {
        /// Group or attempt.
        what: &'static str,
        /// As given.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// The root can't be made.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The baits can't be set up.
    #[error(transparent)]
    Bait(#[from] BaitError),
    /// The module store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The jail can't be prepared, or doesn't work.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// The host can't be started.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The host refuses the module.
    #[error("the host refuses the module of the attempts: {0}")]
    Refused(String),
    /// The host doesn't answer.
    #[error("the host didn't answer the attempt `{attempt}`")]
    NoAnswer {
        /// The attempt.
        attempt: String,
        /// The cause.
        source: io::Error,
    },
    /// The function never ran: a jail that can't start shows nothing.
    #[error("the function of the attempt `{attempt}` never ran ({kind}): {reason}")]
    NeverRan {
        /// The attempt.
        attempt: String,
        /// The kind of problem that the host reported.
        kind: String,
        /// What the host logged, with the runner's own message.
        reason: String,
    },
    /// The function failed without an attempt, so that a failed attempt would show nothing.
    #[error("the function `{function}`, which attempted nothing, didn't answer ({kind}): {reason}")]
    NotReady {
        /// Its id.
        function: String,
        /// The kind of problem that the host reported.
        kind: String,
        /// What the host logged.
        reason: String,
    },
    /// It is the wrong module.
    #[error("that isn't the module of the attempts: name `libfezz_attempts.so` by --module")]
    OtherModule,
    /// Host and module have different versions.
    #[error(
        "the module doesn't know the attempt `{attempt}` ({answer}): install host and module of the same version"
    )]
    OtherVersion {
        /// The attempt.
        attempt: String,
        /// The module's answer.
        answer: String,
    },
    /// What was asked for can't be checked.
    #[error(
        "the processes of `{function}` can't be put back to a snapshot, so that nothing is known of `rewind`: {reason}"
    )]
    NotRewound {
        /// Its id.
        function: String,
        /// Why.
        reason: String,
    },
    /// A request can leave something for a later one.
    #[error("a process of `{function}` differed from its snapshot after it was put back: {reason}")]
    Difference {
        /// Its id.
        function: String,
        /// In what.
        reason: String,
    },
}
