//! What a watcher tells of.

use crate::FunctionEntry;

/// A change of a store, as the entry that is now there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// This entry is there. The receiver had none of its id.
    Added(FunctionEntry),
    /// This entry is there, instead of the one that the receiver had.
    Updated(FunctionEntry),
    /// The entry of this id, which the receiver had, is gone.
    Removed(String),
}

impl StoreEvent {
    /// The id of the function that changed.
    pub fn id(&self) -> &str {
        match self {
            Self::Added(entry) | Self::Updated(entry) => entry.id(),
            Self::Removed(id) => id,
        }
    }
}
