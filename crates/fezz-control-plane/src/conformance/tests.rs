//! The checks on a store that keeps a history, on one that keeps none, and on broken ones, which they find.

use super::*;
use crate::{FunctionStore, Listing, MemoryStore, Revision, StoreError, View, Watch, Watcher};
use std::collections::VecDeque;

/// Few enough changes that slow watchers fall behind it.
const HISTORY: usize = 8;

struct Memory;

#[async_trait]
impl Subject for Memory {
    async fn store(&self) -> Arc<dyn FunctionStore> {
        Arc::new(MemoryStore::with_history(HISTORY))
    }

    async fn forget_history(&self, store: &dyn FunctionStore) {
        churn(store, HISTORY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_in_memory_conforms() {
    run(&Memory).await;
}

/// A store as it would be by Consul: it can be asked for all entries, and to wait until they change, and it remembers no
/// change. `skipped` is an error in its watchers: they leave out each event of that number.
struct Polled {
    store: MemoryStore,
    skipped: Option<usize>,
}

struct PolledWatch {
    store: MemoryStore,
    changed: Watcher,
    view: View,
    pending: VecDeque<StoreEvent>,
    revision: Revision,
    skipped: Option<usize>,
    events: usize,
}

#[async_trait]
impl Watch for PolledWatch {
    async fn recv(&mut self) -> Option<StoreEvent> {
        loop {
            while let Some(event) = self.pending.pop_front() {
                self.events += 1;
                if self.pending.is_empty() {
                    self.revision = self.view.revision();
                }
                if self.skipped != Some(self.events) {
                    return Some(event);
                }
            }
            let listing = self.store.list().await.ok()?;
            self.pending = self.view.advance(&listing).into();
            if self.pending.is_empty() {
                self.revision = listing.revision;
                self.changed.recv().await?;
            }
        }
    }

    fn revision(&self) -> Revision {
        self.revision
    }
}

impl Polled {
    async fn watch_listing(&self, listing: &Listing) -> Result<Watcher, StoreError> {
        Ok(Watcher::new(PolledWatch {
            store: self.store.clone(),
            changed: self.store.watch().await?,
            view: View::of(listing),
            pending: VecDeque::new(),
            revision: listing.revision,
            skipped: self.skipped,
            events: 0,
        }))
    }
}

#[async_trait]
impl FunctionStore for Polled {
    async fn register(&self, entry: FunctionEntry) -> Result<Revision, StoreError> {
        self.store.register(entry).await
    }

    async fn update(&self, entry: FunctionEntry, expected: Revision) -> Result<Revision, StoreError> {
        self.store.update(entry, expected).await
    }

    async fn get(&self, id: &str) -> Result<Option<FunctionEntry>, StoreError> {
        self.store.get(id).await
    }

    async fn remove(&self, id: &str) -> Result<Option<FunctionEntry>, StoreError> {
        self.store.remove(id).await
    }

    async fn remove_if(&self, id: &str, expected: Revision) -> Result<FunctionEntry, StoreError> {
        self.store.remove_if(id, expected).await
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        self.store.list().await
    }

    async fn watch_from(&self, revision: Revision) -> Result<Watcher, StoreError> {
        let listing = self.list().await?;
        let current = listing.revision;
        match revision.cmp(&current) {
            std::cmp::Ordering::Less => Err(StoreError::Compacted { oldest: current }),
            std::cmp::Ordering::Equal => self.watch_listing(&listing).await,
            std::cmp::Ordering::Greater => Err(StoreError::NotReached { requested: revision, current }),
        }
    }

    async fn list_and_watch(&self) -> Result<(Listing, Watcher), StoreError> {
        let listing = self.list().await?;
        let watcher = self.watch_listing(&listing).await?;
        Ok((listing, watcher))
    }
}

struct PolledSubject {
    skipped: Option<usize>,
}

#[async_trait]
impl Subject for PolledSubject {
    async fn store(&self) -> Arc<dyn FunctionStore> {
        Arc::new(Polled { store: MemoryStore::new(), skipped: self.skipped })
    }

    async fn forget_history(&self, _: &dyn FunctionStore) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_can_only_be_polled_conforms() {
    run(&PolledSubject { skipped: None }).await;
}

/// Time passes at once while all tasks wait.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "an event arrives: not within 10 s")]
async fn a_store_that_loses_an_event_does_not_conform() {
    a_waiting_receiver_sees_each_change(&PolledSubject { skipped: Some(3) }).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "an event that contradicts the earlier ones")]
async fn a_store_that_loses_an_event_of_a_busy_watcher_does_not_conform() {
    replicas_of_a_busy_store_become_equal_to_it(&PolledSubject { skipped: Some(5) }).await;
}
