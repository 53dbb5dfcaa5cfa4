//! What the nodes of a cluster share: which functions are registered where, in a store whose changes can be watched, and
//! which function a request is for, by a table of routes.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use fezz_control_plane::{FunctionEntry, FunctionStore, MemoryStore, OwnedFunctionManifest, StoreEvent};
//!
//! let store = MemoryStore::new();
//! let mut watcher = store.watch().await?;
//! let manifest = OwnedFunctionManifest::new("my-fn", "v1", "GET", "/api/test");
//! store.register(FunctionEntry::new(manifest).on_node("node-1")).await?;
//! match watcher.recv().await {
//!     Some(StoreEvent::Added(entry)) => assert!(entry.nodes.contains("node-1")),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<(), fezz_control_plane::StoreError>(())
//! # }).unwrap();
//! ```
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use fezz_control_plane::{Route, RouteMethod, RouteTable};
//!
//! let table = RouteTable::new();
//! table.add(Route::new(RouteMethod::Get, "/api/users/:id", "user-get")).await;
//! table.add(Route::new(RouteMethod::Get, "/api/*", "api-catch-all")).await;
//! let found = table.find("/api/users/123", "GET").await.unwrap();
//! assert_eq!((found.function(), found.params().unwrap()["id"].as_str()), ("user-get", "123"));
//! # });
//! ```
//!
//! 1. `manifest`, `entry`, `revision`: what a store keeps. `event`: how that changes.
//! 2. `store`: the trait [`FunctionStore`], with its contract. `error`: why a store refuses. `watcher`: how the changes
//!    arrive.
//! 3. `memory`: [`MemoryStore`], the reference implementation. `view`: what other implementors need for their watchers, too.
//! 4. `conformance`, with the feature of that name: the checks that each implementation has to pass.
//! 5. `routes`: [`RouteTable`].

#![forbid(unsafe_code)]

mod entry;
mod event;
mod manifest;
mod revision;

mod error;
mod store;
mod watcher;

mod memory;
mod view;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

mod routes;

pub use entry::FunctionEntry;
pub use error::StoreError;
pub use event::StoreEvent;
pub use manifest::{BadMethod, InvalidManifest, OwnedFunctionManifest};
pub use memory::MemoryStore;
pub use revision::Revision;
pub use routes::{
    MethodName, NotText, PathError, PathFault, Route, RouteError, RouteMatch, RouteMethod, RouteTable,
};
pub use store::{FunctionStore, Listing};
pub use view::View;
pub use watcher::{Watch, Watcher};
