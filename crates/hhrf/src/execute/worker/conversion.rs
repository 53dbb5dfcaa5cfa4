//! Large payloads are converted outside of the runtime's threads, which serve all other requests meanwhile.

use crate::execute::failure::Failure;
use std::sync::Arc;
use std::thread::available_parallelism;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

/// Up to this, the task converts a payload itself. At the slowest, escapes in JSON at 150 MB/s, that takes 0.4 ms; another
/// thread costs some 20 us.
const AT_ONCE_BYTES_MAX: usize = 64 * 1024;

/// The conversions of one function's payloads.
#[derive(Debug)]
pub(super) struct Conversions {
    /// As many at a time as there are processors: more would only take time from each other, and hold more memory.
    permits: Arc<Semaphore>,
}

impl Default for Conversions {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))) }
    }
}

impl Conversions {
    /// Runs `convert` for a payload of `bytes`.
    ///
    /// # Errors
    ///
    /// [`Failure::DeadlineExceeded`]. `convert` then ends by itself: no more than a payload can take.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        deadline: Instant,
        convert: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        if bytes <= AT_ONCE_BYTES_MAX {
            return Ok(convert());
        }
        let converted = async {
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.expect("it is never closed");
            // The thread has the permit, also after the deadline.
            let converting = spawn_blocking(move || (convert(), permit));
            converting.await.map(|(converted, _)| converted).map_err(|_| Failure::Host)
        };
        timeout_at(deadline, converted).await.map_err(|_| Failure::DeadlineExceeded)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn a_large_payload_is_converted_on_another_thread() {
        let thread_of = async |bytes| {
            let converted = Conversions::default().run(bytes, soon(), || thread::current().id()).await;
            converted.unwrap()
        };
        assert_eq!(thread_of(AT_ONCE_BYTES_MAX).await, thread::current().id());
        assert_ne!(thread_of(AT_ONCE_BYTES_MAX + 1).await, thread::current().id());
    }

    #[tokio::test]
    async fn a_conversion_that_takes_too_long_fails_at_the_deadline() {
        let (end, wait) = channel::<()>();
        let endless = move || wait.recv_timeout(Duration::from_secs(20));
        let failed = Conversions::default().run(usize::MAX, Instant::now(), endless).await;
        assert!(matches!(failed, Err(Failure::DeadlineExceeded)), "{failed:?}");
        drop(end);
    }
}
