//! Where a cluster keeps its functions.

use crate::{FunctionEntry, Revision, StoreError, Watcher};
use async_trait::async_trait;

/// Where a cluster keeps its functions: a map from ids to entries, whose changes have an order and can be watched. A store
/// is shared by all nodes; [`MemoryStore`](crate::MemoryStore) is the reference, within one process.
///
/// # Order
///
/// - Each change (a `register`, an `update`, a `remove` of an entry that is there) is atomic and has a
///   [`Revision`] of its own, higher than that of each change before it. The order holds for the whole store.
/// - A call sees all changes whose calls had returned before it began, of other handles, too.
/// - A call that fails has changed nothing, except for [`StoreError::Unavailable`].
///
/// # What a watcher sees
///
/// - A watcher starts from the entries at one revision. Its events, applied to these entries, lead to the store's
///   entries. [`Added`](crate::StoreEvent::Added) is only for an id that is not among the receiver's entries by then,
///   [`Updated`](crate::StoreEvent::Updated) and [`Removed`](crate::StoreEvent::Removed) only for one that is.
/// - The last state of each id always arrives. A receiver that is slower than the changes may miss states in between: an
///   entry that was added and removed meanwhile causes no event, and one that was removed and added again an `Updated`. A
///   receiver that waits for each change has an event for each.
/// - Events are in the order of their changes. A watcher that catches up may deviate from this, until
///   [`Watcher::revision`] increases again.
/// - Writers never wait for receivers, and a watcher's memory is bounded by the number of entries, not of changes.
///
/// # Example
///
/// A node adds itself to an entry that other nodes change at the same time:
///
/// ```
/// use fezz_control_plane::{FunctionStore, StoreError};
///
/// async fn join(store: &dyn FunctionStore, id: &str, node: &str) -> Result<(), StoreError> {
///     while let Some(entry) = store.get(id).await? {
///         let read = entry.revision;
///         match store.update(entry.on_node(node), read).await {
///             Err(StoreError::Conflict { .. }) => continue,
///             result => return result.map(drop),
///         }
///     }
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait FunctionStore: Send + Sync {
    /// Adds the entry, or replaces the one of its id, nodes included. Returns the revision that the entry now has; the one
    /// that it brings doesn't count.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`]: the manifest breaks a [rule](crate::OwnedFunctionManifest::check).
    async fn register(&self, entry: FunctionEntry) -> Result<Revision, StoreError>;

    /// The same, if the entry of its id is still at the revision `expected`. [`Revision::ZERO`] is that of an entry that
    /// isn't there, so that this only adds.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`]: it is at another revision. [`StoreError::Invalid`], as for `register`.
    async fn update(&self, entry: FunctionEntry, expected: Revision) -> Result<Revision, StoreError>;

    /// The entry of a function.
    async fn get(&self, id: &str) -> Result<Option<FunctionEntry>, StoreError>;

    /// Removes the entry of a function, and returns it. `None`, and no change: there was none.
    async fn remove(&self, id: &str) -> Result<Option<FunctionEntry>, StoreError>;

    /// The same, if the entry is still at the revision `expected`: for instance, since no node serves the function any
    /// more, and none has come meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`]: it is at another revision, or there is none.
    async fn remove_if(&self, id: &str, expected: Revision) -> Result<FunctionEntry, StoreError>;

    /// All entries of one moment.
    async fn list(&self) -> Result<Listing, StoreError>;

    /// Watches from now on: each change whose call begins after this one has returned.
    async fn watch(&self) -> Result<Watcher, StoreError> {
        self.list_and_watch().await.map(|(_, watcher)| watcher)
    }

    /// Watches the changes after a revision that the caller has from this store: of a listing, a watcher, or a change of its
    /// own. The watcher starts from the entries at that revision.
    ///
    /// # Errors
    ///
    /// [`StoreError::Compacted`]: the store doesn't know these changes any more. [`StoreError::NotReached`]: the store
    /// has no such revision yet. In both cases the caller goes on by [`list_and_watch`](Self::list_and_watch), and replaces
    /// all entries that it has by the listing's.
    async fn watch_from(&self, revision: Revision) -> Result<Watcher, StoreError>;

    /// All entries of one moment, and a watcher of all changes after it.
    async fn list_and_watch(&self) -> Result<(Listing, Watcher), StoreError>;
}

/// All entries of a store at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// That of the last change that is seen here. A watcher from there sees all later ones.
    pub revision: Revision,
    /// In the order of their ids.
    pub entries: Vec<FunctionEntry>,
}
