//! An address: connections are accepted, bounded in number and in what they may send, and brought to an end.

use crate::connection::connection;
use crate::host::Host;
use crate::settings::{Entrance, HostLimits};
use crate::stream::Streams;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// From the accept, or the last response, to the end of the next request's headers. Longer than proxies keep idle
/// connections is of no use; shorter makes them meet closed ones.
const HEADERS_WAIT_MAX: Duration = Duration::from_secs(90);

/// Streams of one HTTP/2 connection. The heads of all of them can arrive at once, and are decoded before the first can be
/// refused; RFC 9113, section 6.5.2, advises against fewer than 100. A proxy that has more requests opens more connections.
const STREAMS_MAX: u32 = 128;

/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Serves one address until `stop`, then lets the connections finish what they have begun, and returns when they have.
pub async fn serve(
    host: Arc<Host>,
    listener: TcpListener,
    entrance: Entrance,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(host.settings.limits.connections));
    let builder = Arc::new(builder(&host.settings.limits));
    let mut stop = std::pin::pin!(stop);
    loop {
        let place = Arc::clone(&connections).acquire_owned();
        let accepted = tokio::select! {
            accepted = async { (place.await, listener.accept().await) } => accepted,
            () = &mut stop => break,
        };
        let (place, accepted) = accepted;
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a connection that ended before it was accepted: the next may succeed.
                const PAUSE: Duration = Duration::from_millis(100);
                tracing::warn!(%error, "failed to accept a connection");
                sleep(PAUSE).await;
                continue;
            }
        };
        let watcher = graceful.watcher();
        let (host, builder) = (Arc::clone(&host), Arc::clone(&builder));
        tokio::spawn(async move {
            let _place = place;
            connection(host, &builder, stream, peer, entrance, watcher).await;
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

fn builder(limits: &HostLimits) -> Builder<Streams> {
    // hyper answers what is over these by a bare 431 and closes; the host's own limit, with a problem to read, stands
    // well below.
    let hypers_limit = limits.header_bytes.saturating_mul(2).max(16 * 1024);
    let mut builder = Builder::new(Streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WAIT_MAX)
        .max_headers(limits.headers * 2)
        .max_buf_size(hypers_limit);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(hypers_limit).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL);
    builder
}
