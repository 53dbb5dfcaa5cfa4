//! What single calls do.

use super::{Subject, entry};
use crate::{FunctionEntry, Revision, StoreError};

/// The entry that is registered is the one that is there, at the revision that was returned; each change has a higher
/// one than all before, and registering replaces the whole entry.
pub async fn registering_returns_the_revision_of_the_entry(subject: &dyn Subject) {
    let store = subject.store().await;
    assert_eq!(store.get("a").await.expect("get"), None);
    let first = store.register(entry("a", 1)).await.expect("register");
    let other = store.register(entry("b", 1)).await.expect("register");
    let replaced = store.register(entry("a", 2).on_node("node-2")).await.expect("register");
    assert!(Revision::ZERO < first && first < other && other < replaced, "{first} {other} {replaced}");
    let expected = FunctionEntry { revision: replaced, ..entry("a", 2).on_node("node-2") };
    assert_eq!(store.get("a").await.expect("get"), Some(expected));
    assert_eq!(store.get("b").await.expect("get").map(|entry| entry.revision), Some(other));
}

/// Neither `register` nor `update` stores a manifest that breaks a rule.
pub async fn an_invalid_manifest_changes_nothing(subject: &dyn Subject) {
    let store = subject.store().await;
    let revision = store.register(entry("a", 1)).await.expect("register");
    let before = store.list().await.expect("list");
    let mut invalid = entry("a", 2);
    invalid.manifest.path = "no path".to_owned();
    for result in [store.register(invalid.clone()).await, store.update(invalid, revision).await] {
        assert!(matches!(&result, Err(StoreError::Invalid { id, .. }) if id == "a"), "{result:?}");
    }
    assert_eq!(store.list().await.expect("list"), before);
}

/// An update needs the entry's revision; [`Revision::ZERO`] stands for no entry.
pub async fn an_update_compares_the_revision(subject: &dyn Subject) {
    let store = subject.store().await;
    let added = store.update(entry("a", 1), Revision::ZERO).await.expect("there is no entry yet");
    let updated = store.update(entry("a", 2), added).await.expect("it is the entry's revision");
    assert!(added < updated, "{added} {updated}");
    for expected in [added, Revision::ZERO] {
        conflict(store.update(entry("a", 3), expected).await, expected, updated);
    }
    conflict(store.update(entry("b", 1), added).await, added, Revision::ZERO);
    let found = store.get("a").await.expect("get").expect("it is there");
    assert_eq!(found, FunctionEntry { revision: updated, ..entry("a", 2) });
    assert_eq!(store.get("b").await.expect("get"), None);
}

fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>, wanted: Revision, is: Revision) {
    match result {
        Err(StoreError::Conflict { expected, actual, .. }) => assert_eq!((expected, actual), (wanted, is)),
        other => panic!("a conflict of {wanted} with {is} is expected: {other:?}"),
    }
}

/// What isn't there can't be removed, and removing it is no change.
pub async fn removing_returns_the_entry_once(subject: &dyn Subject) {
    let store = subject.store().await;
    let revision = store.register(entry("a", 1)).await.expect("register");
    let removed = store.remove("a").await.expect("remove");
    assert_eq!(removed, Some(FunctionEntry { revision, ..entry("a", 1) }));
    assert_eq!(store.remove("a").await.expect("remove"), None);
    conflict(store.remove_if("a", revision).await, revision, Revision::ZERO);
    let again = store.register(entry("a", 2)).await.expect("register");
    assert!(again > revision, "{again} {revision}");
    conflict(store.remove_if("a", revision).await, revision, again);
    assert_eq!(store.remove_if("a", again).await.expect("remove_if").revision, again);
    assert_eq!(store.get("a").await.expect("get"), None);
}

/// A listing is sorted, complete, and of the last change or a later moment.
pub async fn a_listing_has_all_entries_by_id(subject: &dyn Subject) {
    let store = subject.store().await;
    assert_eq!(store.list().await.expect("list").entries, []);
    for id in ["b", "c", "a"] {
        store.register(entry(id, 1)).await.expect("register");
    }
    let last = store.register(entry("b", 2)).await.expect("register");
    store.remove("c").await.expect("remove");
    let listing = store.list().await.expect("list");
    assert_eq!(listing.entries.iter().map(FunctionEntry::id).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(listing.entries[1].revision, last);
    assert!(listing.revision > last, "removing is a change");
}
