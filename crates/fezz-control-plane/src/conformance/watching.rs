//! What watchers see.

use super::{Replica, Subject, entry, next};
use crate::{FunctionEntry, Listing, Revision, StoreError, StoreEvent, Watcher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A receiver that waits for each change has one event for each, with the entry as it is stored.
pub async fn a_waiting_receiver_sees_each_change(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut watcher = store.watch().await.expect("watch");
    let revision = store.register(entry("a", 1)).await.expect("register");
    let expected = FunctionEntry { revision, ..entry("a", 1) };
    assert_eq!(next(&mut watcher).await, StoreEvent::Added(expected));
    let revision = store.update(entry("a", 2), revision).await.expect("update");
    let expected = FunctionEntry { revision, ..entry("a", 2) };
    assert_eq!(next(&mut watcher).await, StoreEvent::Updated(expected));
    assert!(watcher.revision() >= revision, "all of the change has been received");
    store.remove("a").await.expect("remove");
    assert_eq!(next(&mut watcher).await, StoreEvent::Removed("a".to_owned()));
    let revision = store.register(entry("a", 3)).await.expect("register");
    let expected = FunctionEntry { revision, ..entry("a", 3) };
    assert_eq!(next(&mut watcher).await, StoreEvent::Added(expected));
}

/// A watcher reports what happens after it was made, and nothing of what was there.
pub async fn a_watcher_sees_nothing_from_before_it(subject: &dyn Subject) {
    let store = subject.store().await;
    store.register(entry("a", 1)).await.expect("register");
    let mut watcher = store.watch().await.expect("watch");
    assert!(is_waiting(&mut watcher), "nothing has happened since");
    store.register(entry("a", 2)).await.expect("register");
    assert!(matches!(next(&mut watcher).await, StoreEvent::Updated(_)), "the receiver knows the entry");
}

/// A watcher from the revision at which another ended has the events that follow, and no other.
pub async fn a_watcher_resumes_where_another_ended(subject: &dyn Subject) {
    let store = subject.store().await;
    let (listing, mut watcher) = store.list_and_watch().await.expect("list and watch");
    let mut replica = Replica::of(listing);
    for id in ["a", "b"] {
        store.register(entry(id, 1)).await.expect("register");
        replica.apply(next(&mut watcher).await);
    }
    let seen = watcher.revision();
    drop(watcher);
    assert_eq!(seen, store.list().await.expect("list").revision, "it has seen all");
    let mut watcher = store.watch_from(seen).await.expect("nothing has changed since");
    store.remove("a").await.expect("remove");
    store.register(entry("c", 1)).await.expect("register");
    follow(&mut replica, &mut watcher, &store.list().await.expect("list")).await;
}

/// A revision of the future is another store's.
pub async fn a_revision_that_is_not_reached_is_refused(subject: &dyn Subject) {
    let store = subject.store().await;
    let revision = store.register(entry("a", 1)).await.expect("register");
    let future = Revision::new(revision.get() + 1_000_000);
    match store.watch_from(future).await {
        Err(StoreError::NotReached { requested, .. }) => assert_eq!(requested, future),
        other => panic!("revision {future} is refused as not reached: {other:?}"),
    }
}

/// Dropping the future of `recv` while it waits, or once the change has been made, leaves the event to the next call.
pub async fn a_dropped_receive_loses_nothing(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut watcher = store.watch().await.expect("watch");
    for number in 0..10 {
        assert!(is_waiting(&mut watcher), "there is no event yet");
        store.register(entry("a", number)).await.expect("register");
        let event = next(&mut watcher).await;
        let (StoreEvent::Added(received) | StoreEvent::Updated(received)) = event else {
            panic!("{event:?}")
        };
        assert_eq!(received.manifest, entry("a", number).manifest);
    }
}

fn is_waiting(watcher: &mut Watcher) -> bool {
    poll(watcher).is_pending()
}

/// Polls `recv` once and drops it.
fn poll(watcher: &mut Watcher) -> Poll<Option<StoreEvent>> {
    pin!(watcher.recv()).poll(&mut Context::from_waker(Waker::noop()))
}

/// If the store has forgotten what changed after a revision, it says so, and from where it knows. A watcher that was
/// there nevertheless leads its receiver to the store's entries.
pub async fn a_forgotten_history_is_told_and_a_slow_watcher_loses_nothing(subject: &dyn Subject) {
    let store = subject.store().await;
    for id in ["kept", "updated", "removed", "replaced"] {
        store.register(entry(id, 1)).await.expect("register");
    }
    let (listing, mut watcher) = store.list_and_watch().await.expect("list and watch");
    let (started, mut replica) = (listing.revision, Replica::of(listing));
    store.register(entry("updated", 2)).await.expect("register");
    store.remove("removed").await.expect("remove");
    store.remove("replaced").await.expect("remove");
    store.register(entry("added", 1)).await.expect("register");
    store.register(entry("replaced", 2)).await.expect("register");
    subject.forget_history(&*store).await;
    match store.watch_from(started).await {
        Err(StoreError::Compacted { oldest }) => {
            assert!(oldest > started, "{oldest} is later than {started}");
            store.watch_from(oldest).await.expect("`oldest` is still known");
        }
        other => panic!("the changes after {started} are forgotten: {other:?}"),
    }
    follow(&mut replica, &mut watcher, &store.list().await.expect("list")).await;
}

/// Receives until the replica equals the listing, which is the store's last.
pub(super) async fn follow(replica: &mut Replica, watcher: &mut Watcher, last: &Listing) {
    while !replica.equals(last) {
        replica.apply(next(watcher).await);
    }
    // What is left leads to the same entries.
    while let Poll::Ready(Some(event)) = poll(watcher) {
        replica.apply(event);
    }
    assert!(replica.equals(last), "{replica:?} is not {last:?}");
}
