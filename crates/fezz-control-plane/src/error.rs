//! Why a store didn't do what it was asked to.

use crate::{InvalidManifest, Revision};

/// A store did not do what it was asked to. But for [`Unavailable`](Self::Unavailable), it has changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The manifest breaks a rule.
    #[error("function `{id}` is not stored: its manifest is not valid")]
    Invalid {
        /// The manifest's id.
        id: String,
        /// The rule, and the fix.
        source: InvalidManifest,
    },
    /// The entry has changed since the caller read it.
    #[error(
        "function `{id}` is at revision {actual}, expected {expected} (0: not in the store): get it again, and apply the \
         change to that"
    )]
    Conflict {
        /// The function.
        id: String,
        /// What the caller expected. [`Revision::ZERO`]: no entry.
        expected: Revision,
        /// What is true. [`Revision::ZERO`]: no entry.
        actual: Revision,
    },
    /// The store doesn't know any more what changed after the revision.
    #[error(
        "the changes up to revision {oldest} are no longer known: list the entries, and watch from the listing's revision"
    )]
    Compacted {
        /// The earliest revision from which a watcher can start.
        oldest: Revision,
    },
    /// The revision lies after the store's last one: it is another store's, or this one lost its data.
    #[error(
        "revision {requested} is later than the store's last one, {current}: list the entries, and watch from the \
         listing's revision"
    )]
    NotReached {
        /// The revision that was asked for.
        requested: Revision,
        /// The store's last one.
        current: Revision,
    },
    /// The store can't be reached, or failed. The change may have been made.
    #[error("failed to reach the store")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
