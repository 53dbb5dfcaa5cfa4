//! What a watcher tells of.

use crate::FunctionEntry;

/// A change of a store, as the entry that is now there. What an entry was before is the receiver's own knowledge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEvent {
    /// There is an entry, of which the receiver didn't know.
    Added(FunctionEntry),
    /// An entry that the receiver knew is now this one.
    Updated(FunctionEntry),
    /// The entry of this id, which the receiver knew, is gone.
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
