//! Where `on_load` and `on_unload` run: on a thread of their own. A hook may block its thread for long, or for ever. On a
//! thread of the runtime it would stop what else runs there; on one of `spawn_blocking` it would keep the runtime, and so
//! the program, from ending.

use crate::panic;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Runs `work` in this runtime, on a thread of its own. It goes on if the future is dropped.
///
/// # Errors
///
/// It panics, or there is no thread.
pub(crate) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = oneshot::channel();
    let runtime = Handle::current();
    let run = move || {
        let _entered = runtime.enter();
        // Fails if the future was dropped.
        drop(sender.send(catch_unwind(AssertUnwindSafe(work))));
    };
    let thread = thread::Builder::new().name("fezz-hook".to_owned()).spawn(run);
    thread.map_err(|error| format!("failed to start a thread for it: {error}"))?;
    let outcome = receiver.await.expect("the thread sends what it has caught");
    outcome.map_err(|payload| format!("panicked: {}", panic::text(payload)))
}

/// The same for a future. It is dropped if this one is, unless it blocks.
pub(super) async fn run<T: Send + 'static>(
    hook: impl Future<Output = T> + Send + 'static,
) -> Result<T, String> {
    let (waits, given_up) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let until_given_up = async move {
        tokio::select! {
            outcome = hook => Some(outcome),
            _ = given_up => None,
        }
    };
    let outcome = on_thread(move || runtime.block_on(until_given_up)).await?;
    drop(waits);
    Ok(outcome.expect("it is given up only with this future"))
}
