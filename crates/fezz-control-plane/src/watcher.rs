//! Receives the changes of a store.

use crate::{Revision, StoreEvent};
use async_trait::async_trait;
use std::fmt;

/// Receives the changes of a store after one revision.
/// [`FunctionStore`](crate::FunctionStore#what-a-watcher-sees) has the contract.
pub struct Watcher(Box<dyn Watch>);

/// What a store implements for its watchers.
#[async_trait]
pub trait Watch: Send {
    /// See [`Watcher::recv`].
    async fn recv(&mut self) -> Option<StoreEvent>;

    /// See [`Watcher::revision`].
    fn revision(&self) -> Revision;
}

impl Watcher {
    /// A watcher by a store's implementation.
    pub fn new(watch: impl Watch + 'static) -> Self {
        Self(Box::new(watch))
    }

    /// The next event. Waits until there is one; if the store can't be reached, until it can be again. `None`: the store is
    /// gone, and all its events have been received.
    ///
    /// The future may be dropped at any time, for instance by `select!`: the next call has the event.
    pub async fn recv(&mut self) -> Option<StoreEvent> {
        self.0.recv().await
    }

    /// How far the events received so far lead: the entries from which the watcher started, changed by these events, are
    /// the store's entries at this revision.
    ///
    /// [`watch_from`](crate::FunctionStore::watch_from) goes on from here. While a watcher catches up by several events
    /// that only together lead to a state of the store, the revision is still the one before.
    pub fn revision(&self) -> Revision {
        self.0.revision()
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watcher").field("revision", &self.revision()).finish_non_exhaustive()
    }
}
