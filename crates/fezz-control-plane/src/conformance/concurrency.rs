//! Several tasks at the same time.

use super::watching::follow;
use super::{Replica, Subject, entry, within};
use crate::{FunctionStore, Revision, StoreError, Watcher};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many tasks there are, and how often each changes something.
const TASKS: usize = 8;
const CHANGES: usize = 50;

/// Tasks that add one to a number by `update` lose no addition.
pub async fn of_concurrent_updates_each_is_based_on_the_one_before(subject: &dyn Subject) {
    let store = subject.store().await;
    store.update(entry("counter", 0), Revision::ZERO).await.expect("there is no entry yet");
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..CHANGES {
                while !add_one(&*store).await {}
            }
        });
    }
    within("the additions are made", tasks.join_all()).await;
    let counter = store.get("counter").await.expect("get").expect("it is there");
    assert_eq!(counter.manifest.description, (TASKS * CHANGES).to_string());
}

/// Returns whether no other task was faster.
async fn add_one(store: &dyn FunctionStore) -> bool {
    let read = store.get("counter").await.expect("get").expect("it is there");
    let number: usize = read.manifest.description.parse().expect("it is a number");
    match store.update(entry("counter", number + 1), read.revision).await {
        Ok(_) => true,
        Err(StoreError::Conflict { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}

/// Receivers of different speed that follow many writers have the store's entries in the end.
pub async fn replicas_of_a_busy_store_become_equal_to_it(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut replicas = JoinSet::new();
    for pauses in [0, 1, CHANGES] {
        let (listing, watcher) = store.list_and_watch().await.expect("list and watch");
        replicas.spawn(replicate(Replica::of(listing), watcher, pauses));
    }
    let mut writers = JoinSet::new();
    for task in 0..TASKS {
        writers.spawn(write(Arc::clone(&store), task));
    }
    within("the writers end", writers.join_all()).await;
    let last = store.list().await.expect("list");
    for (mut replica, mut watcher) in within("the receivers see it", replicas.join_all()).await {
        follow(&mut replica, &mut watcher, &last).await;
    }
}

/// Receives until each writer has made its last change. Between the events it lets others run.
async fn replicate(mut replica: Replica, mut watcher: Watcher, pauses: usize) -> (Replica, Watcher) {
    while !(0..TASKS).all(|task| replica.has(&last_of(task))) {
        replica.apply(watcher.recv().await.expect("the store is still there"));
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
    }
    (replica, watcher)
}

fn last_of(task: usize) -> String {
    format!("last{task}")
}

/// Changes a few entries that all writers share, in an order of its own.
async fn write(store: Arc<dyn FunctionStore>, task: usize) {
    for number in 0..CHANGES {
        let id = format!("f{}", (task * 7 + number * 3) % 10);
        if (task + number).is_multiple_of(3) {
            store.remove(&id).await.expect("remove");
        } else {
            store.register(entry(&id, number)).await.expect("register");
        }
        tokio::task::yield_now().await;
    }
    store.register(entry(&last_of(task), CHANGES)).await.expect("register");
}
