//! What a watcher's receiver knows of a store.

use crate::{FunctionEntry, Listing, Revision, StoreEvent};
use std::collections::{BTreeMap, HashSet};

/// Which entries the receiver of events knows, and which revision of each. For implementors of stores: where the history
/// doesn't lead on, it makes the events that lead from there to the current entries.
///
/// A store that can only be asked "what is there now?" (Consul's blocking queries) needs nothing else for its watchers.
#[derive(Debug, Clone)]
pub struct View {
    revision: Revision,
    known: BTreeMap<String, Revision>,
}

impl View {
    /// The receiver knows this listing.
    pub fn of(listing: &Listing) -> Self {
        Self::at(listing.revision, &listing.entries)
    }

    /// The revision to which the events have led so far.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Moves on to a later listing. Returns the events that lead there, at most one for each id: first what is gone, by
    /// id, then what has changed, by revision.
    pub fn advance(&mut self, listing: &Listing) -> Vec<StoreEvent> {
        self.advance_to(listing.revision, &listing.entries)
    }

    pub(crate) fn at<'a>(revision: Revision, entries: impl IntoIterator<Item = &'a FunctionEntry>) -> Self {
        let known = entries.into_iter().map(|entry| (entry.id().to_owned(), entry.revision)).collect();
        Self { revision, known }
    }

    /// As [`advance`](Self::advance).
    pub(crate) fn advance_to<'a>(
        &mut self,
        revision: Revision,
        entries: impl IntoIterator<Item = &'a FunctionEntry>,
    ) -> Vec<StoreEvent> {
        let (mut present, mut changed) = (HashSet::new(), Vec::new());
        for entry in entries {
            present.insert(entry.id());
            if self.known.get(entry.id()) != Some(&entry.revision) {
                changed.push(entry);
            }
        }
        let gone = self.known.keys().filter(|id| !present.contains(id.as_str())).cloned();
        let mut events: Vec<_> = gone.map(StoreEvent::Removed).collect();
        changed.sort_by_key(|entry| entry.revision);
        events.extend(changed.into_iter().map(|entry| match self.known.contains_key(entry.id()) {
            true => StoreEvent::Updated(entry.clone()),
            false => StoreEvent::Added(entry.clone()),
        }));
        for event in &events {
            self.apply(event);
        }
        self.revision = revision;
        events
    }

    /// Moves on by one event, which leads to `revision`.
    pub(crate) fn advance_by(&mut self, event: &StoreEvent, revision: Revision) {
        self.apply(event);
        self.revision = revision;
    }

    /// Moves back to before the last change, which was of this id. `previous` is the entry's revision before;
    /// [`Revision::ZERO`]: there was none.
    pub(crate) fn undo(&mut self, id: &str, previous: Revision) {
        if previous == Revision::ZERO {
            self.known.remove(id);
        } else {
            self.known.insert(id.to_owned(), previous);
        }
    }

    fn apply(&mut self, event: &StoreEvent) {
        match event {
            StoreEvent::Added(entry) | StoreEvent::Updated(entry) => {
                self.known.insert(entry.id().to_owned(), entry.revision);
            }
            StoreEvent::Removed(id) => drop(self.known.remove(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnedFunctionManifest;

    fn entry(id: &str, revision: u64) -> FunctionEntry {
        let manifest = OwnedFunctionManifest::new(id, "v1", "GET", "/f");
        FunctionEntry { revision: Revision::new(revision), ..FunctionEntry::new(manifest) }
    }

    fn listing(entries: &[FunctionEntry]) -> Listing {
        let revision = entries.iter().map(|entry| entry.revision).max().unwrap_or_default();
        Listing { revision, entries: entries.to_vec() }
    }

    #[test]
    fn what_is_gone_comes_first_then_what_changed_by_revision() {
        let mut view = View::of(&listing(&[entry("gone", 1), entry("kept", 2), entry("updated", 3)]));
        let later = listing(&[entry("again", 9), entry("kept", 2), entry("new", 7), entry("updated", 8)]);
        let events = view.advance(&later);
        let expected = [
            StoreEvent::Removed("gone".to_owned()),
            StoreEvent::Added(entry("new", 7)),
            StoreEvent::Updated(entry("updated", 8)),
            StoreEvent::Added(entry("again", 9)),
        ];
        assert_eq!(events, expected);
        assert_eq!(view.revision(), Revision::new(9));
        assert_eq!(view.advance(&later), []);
    }
}
