//! A registered function, and the count of what works for it: it is unloaded when nothing does.

use crate::function::FezzFunction;
use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Notify;

/// Where a function is until it is unloaded.
pub(super) struct Slot {
    function: RwLock<Option<Arc<dyn FezzFunction>>>,
    /// Whether no request can reach it any more.
    is_released: AtomicBool,
    /// Notified when it is released, and whenever a call ends.
    ended: Notify,
}

tokio::task_local! {
    /// The address of the slot whose function a task calls.
    static CALLING: usize;
}

/// A call of the function. Kept by all that works for the request, threads among them.
pub(super) struct InFlight {
    /// `None` only while this is dropped.
    function: Option<Arc<dyn FezzFunction>>,
    slot: Arc<Slot>,
}

impl Slot {
    pub(super) fn new(function: Box<dyn FezzFunction>) -> Arc<Self> {
        Self::of(Some(function.into()))
    }

    /// Without a function.
    pub(super) fn empty() -> Arc<Self> {
        Self::of(None)
    }

    fn of(function: Option<Arc<dyn FezzFunction>>) -> Arc<Self> {
        Arc::new(Self {
            function: RwLock::new(function),
            is_released: AtomicBool::new(false),
            ended: Notify::new(),
        })
    }

    /// No request can reach it any more.
    pub(super) fn release(&self) {
        self.is_released.store(true, Ordering::Release);
        self.ended.notify_one();
    }

    /// Begins a call, unless the function is being unloaded.
    pub(super) fn begin(self: &Arc<Self>) -> Option<InFlight> {
        // Nothing that is done under the lock can panic halfway.
        let function = self.function.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(InFlight { function: Some(function), slot: Arc::clone(self) })
    }

    /// Waits until no request can reach the function. For one caller at a time, as [`take`](Self::take).
    pub(super) async fn released(&self) {
        // One permit is stored: what ends before the wait begins isn't lost.
        while !self.is_released.load(Ordering::Acquire) {
            self.ended.notified().await;
        }
    }

    /// Begins no more calls, and returns the function, which is then this caller's alone, when all have ended. `None` if it
    /// was taken before.
    pub(super) async fn take(&self) -> Option<Arc<dyn FezzFunction>> {
        let mut function = self.function.write().unwrap_or_else(PoisonError::into_inner).take()?;
        while Arc::get_mut(&mut function).is_none() {
            self.ended.notified().await;
        }
        Some(function)
    }
}

/// Whether the present task is a call of the slot's function.
pub(super) fn is_calling(slot: &Arc<Slot>) -> bool {
    CALLING.try_with(|calling| *calling == address(slot)).unwrap_or(false)
}

/// Has `work` on another thread count as the present call, if this is one.
pub(crate) fn of_this_call<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let calling = CALLING.try_with(|calling| *calling).ok();
    move || match calling {
        Some(calling) => CALLING.sync_scope(calling, work),
        None => work(),
    }
}

fn address(slot: &Arc<Slot>) -> usize {
    Arc::as_ptr(slot).addr()
}

impl InFlight {
    pub(super) fn function(&self) -> &dyn FezzFunction {
        self.function.as_deref().expect("only `drop` takes it")
    }

    /// Runs what the function does in this call.
    pub(super) async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        CALLING.scope(address(&self.slot), call).await
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
