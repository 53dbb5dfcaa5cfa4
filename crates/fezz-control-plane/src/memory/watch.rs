//! A watcher of a store in memory.

use super::read;
use super::state::{After, State};
use crate::view::View;
use crate::watcher::Watch;
use crate::{Revision, StoreEvent};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, RwLock};
use tokio::sync::watch as signal;

/// Takes the changes from the store's history, one for each event, so that a slow receiver costs the store nothing. If it
/// has fallen behind the history, it compares the entries with its view once.
pub(super) struct MemoryWatch {
    /// The state alone, since a watcher doesn't keep its store alive.
    state: Arc<RwLock<State>>,
    changed: signal::Receiver<()>,
    /// What the receiver knows when it has received `pending`, too.
    view: View,
    /// The rest of a comparison.
    pending: VecDeque<StoreEvent>,
    /// That of the view, unless there is something in `pending`.
    revision: Revision,
}

impl MemoryWatch {
    pub(super) fn new(state: Arc<RwLock<State>>, changed: signal::Receiver<()>, view: View) -> Self {
        let revision = view.revision();
        Self { state, changed, view, pending: VecDeque::new(), revision }
    }

    fn next(&mut self) -> Option<StoreEvent> {
        if self.pending.is_empty() {
            self.fetch();
        }
        let event = self.pending.pop_front();
        if self.pending.is_empty() {
            self.revision = self.view.revision();
        }
        event
    }

    fn fetch(&mut self) {
        let state = read(&self.state);
        match state.after(self.view.revision()) {
            After::Change(event, revision) => {
                self.view.advance_by(&event, revision);
                self.pending.push_back(event);
            }
            After::Nothing => {}
            After::Forgotten => {
                let (revision, entries) = state.entries();
                // The comparison takes long, and writers need not wait for it.
                drop(state);
                self.pending = self.view.advance_to(revision, entries.iter().map(Arc::as_ref)).into();
            }
        }
    }
}

#[async_trait]
impl Watch for MemoryWatch {
    async fn recv(&mut self) -> Option<StoreEvent> {
        loop {
            if let Some(event) = self.next() {
                return Some(event);
            }
            // A change after `next` is a signal that this has not seen yet, so that it returns at once. It fails if the
            // store is gone and all signals have been seen.
            self.changed.changed().await.ok()?;
        }
    }

    fn revision(&self) -> Revision {
        self.revision
    }
}
