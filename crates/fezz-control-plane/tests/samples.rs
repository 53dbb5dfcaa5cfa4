//! The use of the crate as its documents show it.

use fezz_control_plane::OwnedFunctionManifest;
use fezz_control_plane::{
    FunctionEntry, FunctionStore, MemoryStore, Route, RouteMethod, RouteTable, StoreEvent,
};
use std::sync::Arc;

#[tokio::test]
async fn a_function_is_registered_found_and_watched() -> Result<(), Box<dyn std::error::Error>> {
    let store = MemoryStore::new();
    let manifest = OwnedFunctionManifest::new("my-fn", "v1", "GET", "/api/test");
    store.register(FunctionEntry::new(manifest).on_node("node-1")).await?;
    let entry = store.get("my-fn").await?;
    let mut rx = store.watch().await?;

    let entry = entry.expect("it is registered");
    assert_eq!((entry.manifest.timeout, entry.nodes.len()), (30, 1));
    store.register(entry.on_node("node-2")).await?;
    store.remove("my-fn").await?;
    let other = OwnedFunctionManifest::new("other", "v1", "*", "/other").timeout(5).description("text");
    store.register(FunctionEntry::new(other)).await?;
    drop(store);

    let mut seen = Vec::new();
    while let Some(event) = rx.recv().await {
        match event {
            StoreEvent::Added(entry) => seen.push(format!("added {}", entry.id())),
            StoreEvent::Updated(entry) => seen.push(format!("updated {:?}", entry.nodes)),
            StoreEvent::Removed(id) => seen.push(format!("removed {id}")),
        }
    }
    assert_eq!(seen, [r#"updated {"node-1", "node-2"}"#, "removed my-fn", "added other"]);
    Ok(())
}

#[tokio::test]
#[deny(unused_must_use)]
async fn the_more_specific_route_is_found() {
    let table = RouteTable::new();
    table.add(Route::new(RouteMethod::Get, "/api/users/:id", "user-get")).await;
    table.add(Route::new(RouteMethod::Get, "/api/*", "api-catch-all").priority(0)).await;
    let route = table.find("/api/users/123", "GET").await;

    let route = route.expect("there is one");
    assert_eq!((route.function(), route.params().unwrap()["id"].as_str()), ("user-get", "123"));
    let other = table.find("/api/users/123/orders", "GET").await.expect("there is one");
    assert_eq!(
        (other.function(), other.params().unwrap()["rest"].as_str()),
        ("api-catch-all", "users/123/orders")
    );
    assert_eq!(table.find("/other", "GET").await, None);
}

#[tokio::test]
async fn a_store_is_shared_as_a_trait_object() {
    let store: Arc<dyn FunctionStore> = Arc::new(MemoryStore::new());
    let manifest = OwnedFunctionManifest::new("my-fn", "v1", "GET", "/api/test");
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.register(FunctionEntry::new(manifest)).await }
    });
    let revision = writer.await.expect("the task ends").expect("the manifest is valid");
    assert_eq!(store.list().await.expect("list").revision, revision);
}
