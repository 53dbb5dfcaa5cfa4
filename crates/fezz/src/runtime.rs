//! The tokio runtime that an async function runs on.
//!
//! A process of one request makes one for it, and leaves it to the end of the process. A process that serves request after
//! request has one for all, so that a connection that a request has opened, and the task that drives it, serve the next
//! one, too.

use crate::shim;
use std::io::Error;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle, Runtime};

/// Runs a future to its end, on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    // A function of `HhrfServer`, which calls it on a thread of its own runtime's that may block.
    if let Ok(handle) = Handle::try_current() {
        return Ok(handle.block_on(future));
    }
    if let Some(runtime) = lasting()? {
        return Ok(runtime.block_on(future));
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(future);
    // Dropping would wait for what `spawn_blocking` runs; the answer doesn't.
    runtime.shutdown_background();
    Ok(output)
}

/// The runtime of a process that serves request after request.
fn lasting() -> Result<Option<&'static Runtime>, Error> {
    static LASTING: OnceLock<Option<Runtime>> = OnceLock::new();
    if let Some(made) = LASTING.get() {
        return Ok(made.as_ref());
    }
    let runtime = match shim::concurrency() {
        None => None,
        // Its tasks run while a request does, on the thread of that request: no wake-up goes from thread to thread.
        Some(0 | 1) => Some(Builder::new_current_thread().enable_all().build()?),
        // A thread of its own for tasks, timers and sockets. Otherwise a request that computes for long would hold them up
        // for all others. Each request's future still runs on the request's thread.
        Some(_) => Some(Builder::new_multi_thread().worker_threads(1).enable_all().build()?),
    };
    Ok(LASTING.get_or_init(|| runtime).as_ref())
}
