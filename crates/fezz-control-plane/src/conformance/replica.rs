//! Entries as a receiver of events has them.

use crate::{FunctionEntry, Listing, StoreEvent};
use std::collections::BTreeMap;

/// A listing, and the events after it.
#[derive(Debug)]
pub(super) struct Replica(BTreeMap<String, FunctionEntry>);

impl Replica {
    pub(super) fn of(listing: Listing) -> Self {
        Self(listing.entries.into_iter().map(|entry| (entry.id().to_owned(), entry)).collect())
    }

    /// Panics if the event can't follow the earlier ones.
    pub(super) fn apply(&mut self, event: StoreEvent) {
        let known = self.0.get(event.id()).map(|known| known.revision);
        match event {
            StoreEvent::Added(entry) => {
                assert_eq!(known, None, "an event that contradicts the earlier ones: it adds {entry:?}");
                self.0.insert(entry.id().to_owned(), entry);
            }
            StoreEvent::Updated(entry) => {
                let is_later = known.is_some_and(|known| known < entry.revision);
                assert!(
                    is_later,
                    "an event that contradicts the earlier ones: it updates {known:?} to {entry:?}"
                );
                self.0.insert(entry.id().to_owned(), entry);
            }
            StoreEvent::Removed(id) => {
                assert!(known.is_some(), "an event that contradicts the earlier ones: it removes `{id}`");
                self.0.remove(&id);
            }
        }
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub(super) fn equals(&self, listing: &Listing) -> bool {
        self.0.values().eq(&listing.entries)
    }
}
