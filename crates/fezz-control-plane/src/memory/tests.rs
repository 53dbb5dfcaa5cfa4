//! What only this store promises: its history, its memory and its end.

use super::*;
use crate::{OwnedFunctionManifest, StoreEvent};

fn entry(id: &str, number: usize) -> FunctionEntry {
    FunctionEntry::new(OwnedFunctionManifest::new(id, "v1", "GET", "/f").description(number.to_string()))
}

fn text(event: Option<StoreEvent>) -> String {
    match event {
        Some(StoreEvent::Added(entry)) => format!("+{} {}", entry.id(), entry.manifest.description),
        Some(StoreEvent::Updated(entry)) => format!("={} {}", entry.id(), entry.manifest.description),
        Some(StoreEvent::Removed(id)) => format!("-{id}"),
        None => "end".to_owned(),
    }
}

async fn rest(mut watcher: Watcher) -> Vec<String> {
    let mut events = Vec::new();
    while let Some(event) = watcher.recv().await {
        events.push(text(Some(event)));
    }
    events
}

#[tokio::test]
async fn a_watcher_from_a_revision_has_each_change_since_then() {
    let store = MemoryStore::with_history(5);
    store.register(entry("a", 1)).await.unwrap();
    let listing = store.list().await.unwrap();
    store.register(entry("b", 2)).await.unwrap();
    store.remove("a").await.unwrap();
    store.register(entry("b", 3)).await.unwrap();
    store.register(entry("a", 4)).await.unwrap();
    let (late, now) = (store.watch_from(listing.revision).await.unwrap(), store.watch().await.unwrap());
    store.register(entry("b", 5)).await.unwrap();
    let error = store.watch_from(Revision::ZERO).await.unwrap_err();
    assert!(matches!(error, StoreError::Compacted { oldest } if oldest == listing.revision), "{error}");
    drop(store);
    assert_eq!(rest(late).await, ["+b 2", "-a", "=b 3", "+a 4", "=b 5"]);
    assert_eq!(rest(now).await, ["=b 5"]);
}

#[tokio::test]
async fn a_watcher_from_a_revision_that_falls_behind_knows_what_was_there() {
    let store = MemoryStore::with_history(3);
    for id in ["gone", "kept", "updated"] {
        store.register(entry(id, 1)).await.unwrap();
    }
    let listing = store.list().await.unwrap();
    store.remove("gone").await.unwrap();
    store.register(entry("updated", 2)).await.unwrap();
    store.register(entry("added", 3)).await.unwrap();
    let watcher = store.watch_from(listing.revision).await.unwrap();
    store.register(entry("added", 4)).await.unwrap();
    drop(store);
    assert_eq!(rest(watcher).await, ["-gone", "=updated 2", "+added 4"]);
}

#[tokio::test]
async fn a_watcher_within_the_history_sees_the_states_in_between() {
    let store = MemoryStore::new();
    let from = store.list().await.unwrap().revision;
    for number in 0..3 {
        store.register(entry("a", number)).await.unwrap();
    }
    store.remove("a").await.unwrap();
    let watcher = store.watch_from(from).await.unwrap();
    drop(store);
    assert_eq!(rest(watcher).await, ["+a 0", "=a 1", "=a 2", "-a"]);
}

#[tokio::test]
async fn a_watcher_behind_the_history_has_one_event_for_each_id_and_its_revision_waits_for_the_last() {
    let store = MemoryStore::with_history(2);
    for id in ["removed", "updated"] {
        store.register(entry(id, 0)).await.unwrap();
    }
    let mut watcher = store.watch().await.unwrap();
    let started = watcher.revision();
    for number in 1..1000 {
        store.register(entry("updated", number)).await.unwrap();
        store.register(entry("added", number)).await.unwrap();
        store.register(entry("passing", number)).await.unwrap();
    }
    store.remove("removed").await.unwrap();
    store.remove("passing").await.unwrap();
    assert_eq!(store.read().history_len(), 2, "a slow watcher costs the store nothing");
    let mut events = Vec::new();
    for _ in 0..3 {
        assert_eq!(watcher.revision(), started);
        events.push(text(watcher.recv().await));
    }
    assert_eq!(events, ["-removed", "=updated 999", "+added 999"]);
    assert_eq!(watcher.revision(), store.list().await.unwrap().revision);
}

#[tokio::test]
async fn a_watcher_ends_with_the_last_clone_of_its_store_and_not_before() {
    let store = MemoryStore::new();
    let mut watcher = store.watch().await.unwrap();
    let waiting = tokio::spawn(async move {
        let first = text(watcher.recv().await);
        [first, text(watcher.recv().await), text(watcher.recv().await)]
    });
    let clone = store.clone();
    drop(store);
    clone.register(entry("a", 1)).await.unwrap();
    drop(clone);
    assert_eq!(waiting.await.unwrap(), ["+a 1", "end", "end"]);
}

#[tokio::test]
async fn a_store_without_a_history_has_watchers_nevertheless() {
    let store = MemoryStore::with_history(0);
    let mut watcher = store.watch().await.unwrap();
    store.register(entry("a", 1)).await.unwrap();
    assert_eq!(text(watcher.recv().await), "+a 1");
    store.register(entry("a", 2)).await.unwrap();
    store.register(entry("b", 1)).await.unwrap();
    store.remove("b").await.unwrap();
    drop(store);
    assert_eq!(rest(watcher).await, ["=a 2"]);
}

#[tokio::test]
async fn an_entry_that_came_and_went_behind_the_history_moves_the_revision_alone() {
    let store = MemoryStore::with_history(1);
    let mut watcher = store.watch().await.unwrap();
    store.register(entry("a", 1)).await.unwrap();
    store.remove("a").await.unwrap();
    let clone = store.clone();
    let next = tokio::spawn(async move { (text(watcher.recv().await), watcher.revision()) });
    tokio::task::yield_now().await;
    let revision = clone.register(entry("b", 2)).await.unwrap();
    assert_eq!(next.await.unwrap(), ("+b 2".to_owned(), revision));
}

#[test]
fn the_text_of_an_error_has_both_revisions_and_the_remedy() {
    let mut state = State::new(1);
    state.put(entry("a", 1));
    let error = state.conflict("a", Revision::new(7)).to_string();
    assert!(error.contains("`a` is at revision 1, expected 7") && error.contains("get it again"), "{error}");
}
