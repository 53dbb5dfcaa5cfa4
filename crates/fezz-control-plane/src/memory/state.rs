//! The entries, and the latest changes.

use crate::view::View;
use crate::{FunctionEntry, Revision, StoreError, StoreEvent};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// All that a store knows. Each change has the revision after that of the one before.
pub(super) struct State {
    revision: Revision,
    entries: BTreeMap<String, Arc<FunctionEntry>>,
    /// The latest changes, in their order, up to `history_max`.
    history: VecDeque<Change>,
    history_max: usize,
    /// The last change that is not in `history` any more.
    forgotten: Revision,
}

struct Change {
    revision: Revision,
    id: String,
    /// What the entry is since then; `None`: removed.
    entry: Option<Arc<FunctionEntry>>,
    /// The entry's revision before; [`Revision::ZERO`]: there was none.
    previous: Revision,
}

/// What came after a revision.
pub(super) enum After {
    /// This change, which has that revision.
    Change(StoreEvent, Revision),
    /// Nothing yet.
    Nothing,
    /// It isn't known any more.
    Forgotten,
}

impl State {
    pub(super) fn new(history_max: usize) -> Self {
        Self {
            revision: Revision::ZERO,
            entries: BTreeMap::new(),
            history: VecDeque::new(),
            history_max,
            forgotten: Revision::ZERO,
        }
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn history_len(&self) -> usize {
        self.history.len()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Arc<FunctionEntry>> {
        self.entries.get(id)
    }

    /// All entries, in the order of their ids, and the revision.
    pub(super) fn entries(&self) -> (Revision, Vec<Arc<FunctionEntry>>) {
        (self.revision, self.entries.values().cloned().collect())
    }

    pub(super) fn check_revision(&self, id: &str, expected: Revision) -> Result<(), StoreError> {
        if self.revision_of(id) == expected { Ok(()) } else { Err(self.conflict(id, expected)) }
    }

    pub(super) fn conflict(&self, id: &str, expected: Revision) -> StoreError {
        StoreError::Conflict { id: id.to_owned(), expected, actual: self.revision_of(id) }
    }

    fn revision_of(&self, id: &str) -> Revision {
        self.entries.get(id).map(|entry| entry.revision).unwrap_or_default()
    }

    pub(super) fn put(&mut self, mut entry: FunctionEntry) -> Revision {
        let (id, previous) = (entry.id().to_owned(), self.revision_of(entry.id()));
        entry.revision = self.revision.next();
        let entry = Arc::new(entry);
        self.entries.insert(id.clone(), Arc::clone(&entry));
        self.record(id, Some(entry), previous)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<FunctionEntry>> {
        let entry = self.entries.remove(id)?;
        self.record(id.to_owned(), None, entry.revision);
        Some(entry)
    }

    fn record(&mut self, id: String, entry: Option<Arc<FunctionEntry>>, previous: Revision) -> Revision {
        self.revision = self.revision.next();
        self.history.push_back(Change { revision: self.revision, id, entry, previous });
        if self.history.len() > self.history_max
            && let Some(oldest) = self.history.pop_front()
        {
            self.forgotten = oldest.revision;
        }
        self.revision
    }

    /// What came first after a revision that the store has had.
    pub(super) fn after(&self, revision: Revision) -> After {
        if revision < self.forgotten {
            return After::Forgotten;
        }
        let later = self.history.partition_point(|change| change.revision <= revision);
        match self.history.get(later) {
            Some(change) => After::Change(change.event(), change.revision),
            None => After::Nothing,
        }
    }

    /// Which entries there were at a revision.
    pub(super) fn view_at(&self, revision: Revision) -> Result<View, StoreError> {
        if revision > self.revision {
            return Err(StoreError::NotReached { requested: revision, current: self.revision });
        }
        if revision < self.forgotten {
            return Err(StoreError::Compacted { oldest: self.forgotten });
        }
        let mut view = View::at(revision, self.entries.values().map(Arc::as_ref));
        for change in self.history.iter().rev().take_while(|change| change.revision > revision) {
            view.undo(&change.id, change.previous);
        }
        Ok(view)
    }
}

impl Change {
    fn event(&self) -> StoreEvent {
        match &self.entry {
            Some(entry) if self.previous == Revision::ZERO => StoreEvent::Added(FunctionEntry::clone(entry)),
            Some(entry) => StoreEvent::Updated(FunctionEntry::clone(entry)),
            None => StoreEvent::Removed(self.id.clone()),
        }
    }
}
