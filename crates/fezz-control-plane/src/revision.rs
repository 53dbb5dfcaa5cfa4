//! The order of all changes of a store.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment in the life of a store. Each change of the store has a revision of its own, later ones have higher ones; some
/// numbers may be left out. An entry has the revision of its last change. (etcd's `mod_revision`, Consul's `ModifyIndex`.)
///
/// Revisions of different stores can't be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// Before every change of every store. As the revision of an entry: there is no such entry.
    pub const ZERO: Self = Self(0);

    /// The revision that a store's own number stands for.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The store's own number.
    pub const fn get(self) -> u64 {
        self.0
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
