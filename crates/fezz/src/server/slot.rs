//! A registered function, and the count of what works for it: it is unloaded when nothing does.

use crate::function::FezzFunction;
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Notify;

/// Where a function is until it is unloaded.
pub(super) struct Slot {
    function: RwLock<Option<Arc<dyn FezzFunction>>>,
    /// Notified whenever a call ends.
    ended: Notify,
}

/// A call of the function. Kept by all that works for the request, threads among them.
pub(super) struct InFlight {
    /// `None` only while this is dropped.
    function: Option<Arc<dyn FezzFunction>>,
    slot: Arc<Slot>,
}

impl Slot {
    pub(super) fn new(function: Box<dyn FezzFunction>) -> Arc<Self> {
        Arc::new(Self { function: RwLock::new(Some(function.into())), ended: Notify::new() })
    }

    /// Without a function.
    pub(super) fn empty() -> Arc<Self> {
        Arc::new(Self { function: RwLock::new(None), ended: Notify::new() })
    }

    /// Begins a call, unless the function is being unloaded.
    pub(super) fn begin(self: &Arc<Self>) -> Option<InFlight> {
        // Nothing that is done under the lock can panic halfway.
        let function = self.function.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(InFlight { function: Some(function), slot: Arc::clone(self) })
    }

    /// Begins no more calls, and returns the function, which is then this caller's alone, when all have ended. `None` if it
    /// was taken before.
    pub(super) async fn take(&self) -> Option<Arc<dyn FezzFunction>> {
        let mut function = self.function.write().unwrap_or_else(PoisonError::into_inner).take()?;
        while Arc::get_mut(&mut function).is_none() {
            // One permit is stored: an end between the two lines isn't lost.
            self.ended.notified().await;
        }
        Some(function)
    }
}

impl InFlight {
    pub(super) fn function(&self) -> &dyn FezzFunction {
        self.function.as_deref().expect("only `drop` takes it")
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // Before the slot's owner counts.
        self.function = None;
        self.slot.ended.notify_one();
    }
}

impl Debug for Slot {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let function = self.function.read().unwrap_or_else(PoisonError::into_inner);
        formatter.debug_tuple("Slot").field(&function.as_ref().map(|function| function.name())).finish()
    }
}
