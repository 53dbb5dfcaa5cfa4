//! The runtime of one pool: a thread that drives its connections between requests.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Started by the first request: a zygote, which loads the function for its children, must not have threads.
#[derive(Debug, Default)]
pub(super) struct OwnRuntime(Mutex<Option<Runtime>>);

impl OwnRuntime {
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        let mut runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = match &mut *runtime {
            Some(runtime) => runtime,
            none => none.insert(start()?),
        };
        Ok(runtime.spawn(work))
    }

    /// Ends the thread, and waits for it up to `time_max`. Not within a runtime.
    pub(super) fn end(self, time_max: Duration) {
        let runtime = self.take();
        runtime.into_iter().for_each(|runtime| runtime.shutdown_timeout(time_max));
    }

    fn take(&self) -> Option<Runtime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn start() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).thread_name("fezz-pool").enable_all().build()
}

impl Drop for OwnRuntime {
    /// Without waiting, which a runtime would do, and which panics in a function that is async.
    fn drop(&mut self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_background();
        }
    }
}
