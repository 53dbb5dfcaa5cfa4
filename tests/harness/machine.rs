//! Who may use the machine: tests run side by side, but for those that measure time or memory.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// For a test that doesn't mind others. A host keeps it while it lives.
pub(crate) fn together() -> RwLockReadGuard<'static, ()> {
    // Poison is another test's failure, not this one's.
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that holds the host to a time or an amount of memory.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
