//! The pool of each function that was called lately.

use super::pool::Pool;
use crate::catalogue::Function;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Pools by function. Each release has its own pool, since releases share no process.
#[derive(Debug, Default)]
pub(super) struct Pools {
    /// Keyed by the function's address, which stays unique while a weak reference is held here. A strong one would keep
    /// the function for a second after its last request: a pool couldn't tell whether there may be another, and a
    /// function of the program itself couldn't be unloaded.
    entries: Mutex<Entries>,
}

type Entries = HashMap<usize, (Weak<Function>, Arc<dyn Pool>)>;

impl Pools {
    /// The function's pool; made now if there is none, and then retired at once if the function isn't served any more: a
    /// request may have begun before.
    pub(super) fn of(&self, function: &Arc<Function>, make: impl FnOnce() -> Arc<dyn Pool>) -> Arc<dyn Pool> {
        let mut entries = self.lock();
        let mut is_new = false;
        let entry = entries.entry(key(function));
        let (_, pool) = entry.or_insert_with(|| {
            is_new = true;
            (Arc::downgrade(function), make())
        });
        let pool = Arc::clone(pool);
        drop(entries);
        if is_new && function.is_retired() {
            Arc::clone(&pool).retire();
        }
        pool
    }

    /// The function's pool, if there is one.
    pub(super) fn get(&self, function: &Arc<Function>) -> Option<Arc<dyn Pool>> {
        self.lock().get(&key(function)).map(|(_, pool)| Arc::clone(pool))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<dyn Pool>> {
        self.lock().values().map(|(_, pool)| Arc::clone(pool)).collect()
    }

    /// The pools of functions that aren't served any more, or in another release.
    pub(super) fn retired(&self) -> Vec<Arc<dyn Pool>> {
        let entries = self.lock();
        let is_retired = |function: &Weak<Function>| function.upgrade().is_none_or(|it| it.is_retired());
        let retired = entries.values().filter(|(function, _)| is_retired(function));
        retired.map(|(_, pool)| Arc::clone(pool)).collect()
    }

    /// Calls [`Pool::tick`] of all, and drops those that aren't needed; unless a task still holds one, which may be
    /// about to start a process in it.
    pub(super) fn tick(&self) {
        /// One in the map, and one here.
        const HELD: usize = 2;
        // Without the lock, for which each request waits.
        let pools: Vec<_> = self.lock().iter().map(|(key, (_, pool))| (*key, Arc::clone(pool))).collect();
        for (key, pool) in pools {
            let is_needed = Arc::clone(&pool).tick();
            let mut entries = self.lock();
            if !is_needed && Arc::strong_count(&pool) <= HELD {
                let removed = entries.remove(&key);
                drop(entries);
                // Without the lock: with a release goes its copy of the module.
                drop(removed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Nothing that is done under the lock can panic halfway.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(function: &Arc<Function>) -> usize {
    Arc::as_ptr(function).addr()
}
