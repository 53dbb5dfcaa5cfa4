//! A store in the memory of one process.

mod state;
mod watch;

use crate::{FunctionEntry, FunctionStore, Listing, Revision, StoreError, View, Watcher};
use async_trait::async_trait;
use state::State;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch as signal;
use watch::MemoryWatch;

/// A store in the memory of one process: the reference for all others, and the store of a single node. Clones share their
/// entries. The store is gone when its last clone is dropped.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use fezz_control_plane::{FunctionEntry, FunctionStore, MemoryStore, OwnedFunctionManifest, StoreEvent};
///
/// let store = MemoryStore::new();
/// let mut watcher = store.watch().await?;
/// let entry = FunctionEntry::new(OwnedFunctionManifest::new("todos", "v1", "GET", "/todos"));
/// let revision = store.register(entry).await?;
/// let Some(StoreEvent::Added(entry)) = watcher.recv().await else { panic!("no event") };
/// assert_eq!((entry.id(), entry.revision), ("todos", revision));
/// drop(store);
/// assert_eq!(watcher.recv().await, None);
/// # Ok::<(), fezz_control_plane::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shared>);

/// How many changes a store remembers, each with a whole entry: more than arrive while a receiver is busy with one. A
/// watcher that is further behind compares all entries with those that it knows, which takes longer, and reports the
/// difference.
const HISTORY: usize = 1024;

struct Shared {
    state: Arc<RwLock<State>>,
    /// Wakes watchers. They have its other ends, but not this one, whose end is that of the store.
    changed: signal::Sender<()>,
}

impl MemoryStore {
    /// A store without entries, at [`Revision::ZERO`].
    pub fn new() -> Self {
        Self::with_history(HISTORY)
    }

    /// A store that remembers that number of changes for [`FunctionStore::watch_from`] and for slow watchers.
    pub fn with_history(changes: usize) -> Self {
        let state = Arc::new(RwLock::new(State::new(changes)));
        Self(Arc::new(Shared { state, changed: signal::Sender::new(()) }))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        read(&self.0.state)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics while the lock is held, so that the state behind it is always whole.
        let changed = change(&mut self.0.state.write().unwrap_or_else(PoisonError::into_inner));
        self.0.changed.send_replace(());
        changed
    }

    /// What changes before the watcher has subscribed, it finds in the state: it looks there first.
    fn watcher(&self, view: View) -> Watcher {
        let changed = self.0.changed.subscribe();
        Watcher::new(MemoryWatch::new(Arc::clone(&self.0.state), changed, view))
    }
}

fn read(state: &RwLock<State>) -> RwLockReadGuard<'_, State> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read();
        let mut debug = formatter.debug_struct("MemoryStore");
        debug.field("revision", &state.revision()).field("entries", &state.len()).finish()
    }
}

#[async_trait]
impl FunctionStore for MemoryStore {
    async fn register(&self, entry: FunctionEntry) -> Result<Revision, StoreError> {
        check(&entry)?;
        Ok(self.change(|state| state.put(entry)))
    }

    async fn update(&self, entry: FunctionEntry, expected: Revision) -> Result<Revision, StoreError> {
        check(&entry)?;
        self.change(|state| {
            state.check_revision(entry.id(), expected)?;
            Ok(state.put(entry))
        })
    }

    async fn get(&self, id: &str) -> Result<Option<FunctionEntry>, StoreError> {
        let entry = self.read().get(id).map(Arc::clone);
        Ok(entry.map(|entry| FunctionEntry::clone(&entry)))
    }

    async fn remove(&self, id: &str) -> Result<Option<FunctionEntry>, StoreError> {
        Ok(self.change(|state| state.remove(id)).map(Arc::unwrap_or_clone))
    }

    async fn remove_if(&self, id: &str, expected: Revision) -> Result<FunctionEntry, StoreError> {
        self.change(|state| {
            state.check_revision(id, expected)?;
            state.remove(id).map(Arc::unwrap_or_clone).ok_or_else(|| state.conflict(id, expected))
        })
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        let (revision, entries) = self.read().entries();
        Ok(Listing { revision, entries: entries.iter().map(|entry| FunctionEntry::clone(entry)).collect() })
    }

    async fn watch_from(&self, revision: Revision) -> Result<Watcher, StoreError> {
        let view = self.read().view_at(revision)?;
        Ok(self.watcher(view))
    }

    async fn list_and_watch(&self) -> Result<(Listing, Watcher), StoreError> {
        let listing = self.list().await?;
        let view = View::of(&listing);
        Ok((listing, self.watcher(view)))
    }
}

fn check(entry: &FunctionEntry) -> Result<(), StoreError> {
    let check = entry.manifest.check();
    check.map_err(|source| StoreError::Invalid { id: entry.id().to_owned(), source })
}

#[cfg(test)]
mod tests;
