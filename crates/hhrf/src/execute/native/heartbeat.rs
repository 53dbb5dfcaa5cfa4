//! Keeps sockets and timers served while a function blocks its thread.
//!
//! A worker of tokio's that receives an event runs its task before any worker waits for the next event. If that task
//! blocks, and the other workers sleep, none waits for sockets and timers any more: not even the deadline of the task itself
//! would pass. A task that comes from outside wakes one of them, which then waits for events.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;
use tokio::runtime::Handle;

/// How late a deadline may be because of a blocked thread. Each beat wakes one worker, and only while there are calls.
const EVERY: Duration = Duration::from_millis(20);

/// After so many beats without a call, a second, the thread sleeps until the next call: sooner, and calls that come one
/// after the other would wake it again and again.
const QUIET_BEATS: u32 = 50;

/// Counts the native calls of a host; while there are any, a thread wakes workers of the runtime.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    calls: AtomicUsize,
    /// Whether the thread sleeps until the next call.
    is_asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A call that is counted.
#[derive(Debug)]
pub(super) struct Beating(Arc<Heartbeat>);

impl Heartbeat {
    /// Starts the thread, which ends with the last clone of what this returns. Called on the runtime.
    pub(super) fn start() -> Arc<Self> {
        let heartbeat = Arc::new(Self::default());
        if let Err(error) = heartbeat.start_thread() {
            tracing::warn!(%error, "failed to start a thread: a function that blocks may delay deadlines");
        }
        heartbeat
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let (weak, runtime) = (Arc::downgrade(self), Handle::current());
        let thread = thread::Builder::new().name("fezz-heartbeat".to_owned());
        let thread = thread.spawn(move || beat(&weak, &runtime))?;
        self.thread.get_or_init(|| thread.thread().clone());
        Ok(thread)
    }

    /// Counts a call until the result is dropped.
    pub(super) fn call(self: &Arc<Self>) -> Beating {
        // In one order with what the thread does in `sleeps`: this sees that it sleeps, or it sees the call.
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Beating(Arc::clone(self))
    }

    fn has_calls(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > 0
    }

    /// Whether the thread may sleep, since there is no call. The next one wakes it.
    fn sleeps(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        !self.has_calls() || !self.is_asleep.swap(false, Ordering::SeqCst)
    }

    fn wake(&self) {
        self.thread.get().inspect(|thread| thread.unpark());
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.wake();
    }
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

fn beat(heartbeat: &Weak<Heartbeat>, runtime: &Handle) {
    let mut quiet = 0;
    loop {
        thread::sleep(EVERY);
        let Some(heartbeat) = heartbeat.upgrade() else { return };
        quiet = if heartbeat.has_calls() { 0 } else { quiet + 1 };
        if quiet == 0 {
            runtime.spawn(async {});
        } else if quiet >= QUIET_BEATS && heartbeat.sleeps() {
            quiet = 0;
            // A wake that came already ends this at once. Without the owner's reference: its drop wakes the thread, too.
            drop(heartbeat);
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn wait_until(what: impl Fn() -> bool) {
        let begun = Instant::now();
        while !what() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            thread::yield_now();
        }
    }

    #[tokio::test]
    async fn the_thread_sleeps_without_calls_and_the_next_call_wakes_it() {
        let heartbeat = Heartbeat::start();
        wait_until(|| heartbeat.is_asleep.load(Ordering::SeqCst));
        let beats = || Handle::current().metrics().num_alive_tasks();
        assert_eq!(beats(), 0);
        let _call = heartbeat.call();
        wait_until(|| beats() > 0);
    }

    #[tokio::test]
    async fn the_thread_ends_with_its_owner_though_it_sleeps() {
        let heartbeat = Arc::new(Heartbeat::default());
        let thread = heartbeat.start_thread().unwrap();
        wait_until(|| heartbeat.is_asleep.load(Ordering::SeqCst));
        drop(heartbeat);
        wait_until(|| thread.is_finished());
    }
}
