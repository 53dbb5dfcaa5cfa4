//! The task of one HTTP/2 stream. It can be stopped without its connection, since a proxy's connection carries many
//! clients' requests.

use hyper::rt::Executor;
use std::future::Future;
use tokio::task_local;
use tokio_util::sync::CancellationToken;

task_local! {
    static STOP: CancellationToken;
}

/// Runs hyper's streams, each in a task that [`stop`] can stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(STOP.scope(stop, async move {
            tokio::select! {
                // Polled first: when hyper polls the body again, its error resets the stream and drops what is queued,
                // too.
                biased;
                () = stream => {}
                () = stopped.cancelled() => {}
            }
        }));
    }
}

/// The token that stops the stream of the calling task; `None` on HTTP/1.1, which has no streams.
pub(crate) fn stop() -> Option<CancellationToken> {
    STOP.try_with(Clone::clone).ok()
}
