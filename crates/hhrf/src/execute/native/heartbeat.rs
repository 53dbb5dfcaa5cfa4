//! Keeps sockets and timers served while a function blocks its thread.
//!
//! A worker of tokio's that receives an event runs its task before any worker waits for the next event. If that task
//! blocks, and the other workers sleep, none waits for sockets and timers any more: not even the deadline of the task itself
//! would pass. A task that comes from outside wakes one of them, which then waits for events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// How late a deadline may be because of a blocked thread. Each beat wakes one worker, and only while there are calls.
const EVERY: Duration = Duration::from_millis(20);

/// Counts the native calls of a host; while there are any, a thread wakes workers of the runtime.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    calls: AtomicUsize,
}

/// A call that is counted.
#[derive(Debug)]
pub(super) struct Beating(Arc<Heartbeat>);

impl Heartbeat {
    /// Starts the thread, which ends with the last clone of what this returns. Called on the runtime.
    pub(super) fn start() -> Arc<Self> {
        let heartbeat = Arc::new(Self::default());
        let (weak, runtime) = (Arc::downgrade(&heartbeat), Handle::current());
        let thread = thread::Builder::new().name("fezz-heartbeat".to_owned());
        if let Err(error) = thread.spawn(move || beat(&weak, &runtime)) {
            tracing::warn!(%error, "failed to start a thread: a function that blocks may delay deadlines");
        }
        heartbeat
    }

    /// Counts a call until the result is dropped.
    pub(super) fn call(self: &Arc<Self>) -> Beating {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Beating(Arc::clone(self))
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn beat(heartbeat: &Weak<Heartbeat>, runtime: &Handle) {
    loop {
        thread::sleep(EVERY);
        let Some(heartbeat) = heartbeat.upgrade() else { return };
        if heartbeat.calls.load(Ordering::Relaxed) > 0 {
            runtime.spawn(async {});
        }
    }
}
