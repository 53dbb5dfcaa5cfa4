//! The task of one HTTP/2 stream, which can be stopped without its connection: a proxy's carries many clients' requests.

use hyper::rt::Executor;
use std::future::Future;
use tokio::task_local;
use tokio_util::sync::CancellationToken;

task_local! {
    static STOP: CancellationToken;
}

/// Runs hyper's streams, each in a task that [`stop`] can stop.
#[derive(Debug, Clone, Copy)]
pub struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(STOP.scope(stop, async move {
            tokio::select! {
                // First: a body that is asked for more resets its stream by an error, which drops what is queued, too.
                biased;
                () = stream => {}
                () = stopped.cancelled() => {}
            }
        }));
    }
}

/// Stops the stream that the calling task runs; `None` on HTTP/1.1, which has no streams.
pub fn stop() -> Option<CancellationToken> {
    STOP.try_with(Clone::clone).ok()
}
