//! What an executor keeps for each function that was called lately.

use crate::catalogue::{Catalogue, Function};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values by function: by the edition of a version, that is, for a newer one shares nothing with it.
#[derive(Debug)]
pub struct PerFunction<T> {
    /// By where the function lies, which no other one does as long as it is held here.
    entries: Mutex<Entries<T>>,
}

type Entries<T> = HashMap<usize, (Arc<Function>, Arc<T>)>;

impl<T> PerFunction<T> {
    /// The function's, made now if it isn't there.
    pub fn of(&self, function: &Arc<Function>, make: impl FnOnce() -> T) -> Arc<T> {
        let mut entries = self.lock();
        let entry = entries.entry(key(function));
        let (_, value) = entry.or_insert_with(|| (Arc::clone(function), Arc::new(make())));
        Arc::clone(value)
    }

    /// The function's, if it is there.
    pub fn get(&self, function: &Arc<Function>) -> Option<Arc<T>> {
        self.lock().get(&key(function)).map(|(_, value)| Arc::clone(value))
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.lock().values().map(|(_, value)| Arc::clone(value)).collect()
    }

    /// Those of functions that `catalogue` serves no more, or not as they were.
    pub fn gone_from(&self, catalogue: &Catalogue) -> Vec<Arc<T>> {
        let is_served = |function: &Arc<Function>| {
            catalogue.by_name(&function.name()).is_some_and(|served| Arc::ptr_eq(served, function))
        };
        let entries = self.lock();
        let gone = entries.values().filter(|(function, _)| !is_served(function));
        gone.map(|(_, value)| Arc::clone(value)).collect()
    }

    /// Forgets those for which `is_needed` doesn't hold, and that nobody has in hand: whoever does may be about to need it,
    /// and what it starts then would be found by nobody.
    pub fn retain(&self, is_needed: impl Fn(&Arc<T>) -> bool) {
        self.lock().retain(|_, (_, value)| is_needed(value) || Arc::strong_count(value) > 1);
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        // Nothing that is done under the lock can panic halfway.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for PerFunction<T> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

fn key(function: &Arc<Function>) -> usize {
    Arc::as_ptr(function).addr()
}
