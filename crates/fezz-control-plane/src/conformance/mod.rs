//! The checks that each implementation of [`FunctionStore`] has to pass, for the tests of implementors. Each function checks
//! one rule of the contract, panics where it is broken, and waits for an event for ten seconds at most.
//!
//! ```
//! use fezz_control_plane::conformance::{self, Subject};
//! use fezz_control_plane::{FunctionStore, MemoryStore};
//! use std::sync::Arc;
//!
//! struct InMemory;
//!
//! #[async_trait::async_trait]
//! impl Subject for InMemory {
//!     async fn store(&self) -> Arc<dyn FunctionStore> {
//!         Arc::new(MemoryStore::with_history(100))
//!     }
//!
//!     async fn forget_history(&self, store: &dyn FunctionStore) {
//!         conformance::churn(store, 100).await;
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! conformance::run(&InMemory).await;
//! # });
//! ```

mod concurrency;
mod replica;
mod watching;
mod writing;

pub use concurrency::*;
pub use watching::*;
pub use writing::*;

use crate::{FunctionEntry, FunctionStore, OwnedFunctionManifest, StoreEvent, Watcher};
use async_trait::async_trait;
use replica::Replica;
use std::sync::Arc;
use std::time::Duration;

/// An implementation to be checked.
#[async_trait]
pub trait Subject: Send + Sync {
    /// A new store without entries.
    async fn store(&self) -> Arc<dyn FunctionStore>;

    /// Makes the store forget which changes it has had up to now: by the store's own means, or by [`churn`]. A store that
    /// keeps no history does nothing.
    async fn forget_history(&self, store: &dyn FunctionStore);
}

/// Makes all checks, each with a new store.
pub async fn run(subject: &dyn Subject) {
    registering_returns_the_revision_of_the_entry(subject).await;
    an_invalid_manifest_changes_nothing(subject).await;
    an_update_compares_the_revision(subject).await;
    removing_returns_the_entry_once(subject).await;
    a_listing_has_all_entries_by_id(subject).await;
    of_concurrent_updates_each_is_based_on_the_one_before(subject).await;
    a_waiting_receiver_sees_each_change(subject).await;
    a_watcher_sees_nothing_from_before_it(subject).await;
    a_watcher_resumes_where_another_ended(subject).await;
    a_revision_that_is_not_reached_is_refused(subject).await;
    a_dropped_receive_loses_nothing(subject).await;
    a_forgotten_history_is_told_and_a_slow_watcher_loses_nothing(subject).await;
    replicas_of_a_busy_store_become_equal_to_it(subject).await;
}

/// Adds and removes an entry until at least that number of changes has been made.
pub async fn churn(store: &dyn FunctionStore, changes: usize) {
    for _ in 0..changes.div_ceil(2) {
        store.register(entry("churn", 0)).await.expect("the entry is valid");
        store.remove("churn").await.expect("an entry can be removed");
    }
}

/// An entry that differs from others of its id by a number.
fn entry(id: &str, number: usize) -> FunctionEntry {
    let manifest = OwnedFunctionManifest::new(id, "v1", "GET", format!("/{id}"));
    FunctionEntry::new(manifest.description(number.to_string())).on_node("node-1")
}

async fn next(watcher: &mut Watcher) -> StoreEvent {
    within("an event arrives", watcher.recv()).await.expect("the store is still there")
}

/// How long a check waits. A store that is slower would be of no use, and a slow machine is faster.
const PATIENCE: Duration = Duration::from_secs(10);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not within {} s", PATIENCE.as_secs()),
    }
}

#[cfg(test)]
mod tests;
