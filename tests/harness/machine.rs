//! The machine's lock: tests run in parallel, except those that measure time or memory.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// For a test that may run in parallel with others. A host holds this guard while it lives.
pub(crate) fn together() -> RwLockReadGuard<'static, ()> {
    // A poisoned lock is the failure of another test.
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// For a test that limits the host's time or memory.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
