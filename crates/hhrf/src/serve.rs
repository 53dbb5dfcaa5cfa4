//! An address: connections are accepted, bounded in number and in what they may send, and brought to an end.

use crate::connection::connection;
use crate::host::Host;
use crate::settings::{Entrance, HostLimits};
use crate::stream::Streams;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// Streams of one HTTP/2 connection. The heads of all of them can arrive at once, and are decoded before the first can be
/// refused; RFC 9113, section 6.5.2, advises against fewer than 100. A proxy that has more requests opens more connections.
const STREAMS_MAX: u32 = 128;

/// Serves one address until `stop`, then lets the connections finish what they have begun, and returns when they have.
pub async fn serve(
    host: Arc<Host>,
    listener: TcpListener,
    entrance: Entrance,
    stop: impl Future<Output = ()>,
) {
    let connections_max = host.settings.limits.connections;
    let connections = Arc::new(Semaphore::new(connections_max));
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
        let (host, builder) = (Arc::clone(&host), Arc::clone(&builder));
        tokio::spawn(async move {
            let _place = place;
            connection(host, &builder, stream, peer, entrance).await;
        });
    }
    drop(listener);
    // Each holds a permit to its end, and learns from the host that it shall come to it.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    connections.acquire_many(all).await.map(drop).unwrap_or_default();
}

fn builder(limits: &HostLimits) -> Builder<Streams> {
    // hyper answers what is over these by a bare 431 and closes; the host's own limit, with a problem to read, stands
    // well below.
    let hypers_limit = limits.header_bytes.saturating_mul(2).max(16 * 1024);
    // h2 decodes heads that aren't whole yet, and nothing else bounds those. RFC 9113, section 6.5.2, adds 32 for each header.
    const HEADER_BYTES: usize = 2 * 32;
    let header_list_bytes = limits.header_bytes.saturating_add(limits.headers.saturating_mul(HEADER_BYTES));
    let mut builder = Builder::new(Streams);
    builder
        .http1()
        // To the first byte; from there on it is the head's timeout, by each connection's own timer.
        .header_read_timeout(limits.keep_alive)
        .max_headers(limits.headers * 2)
        .max_buf_size(hypers_limit);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(header_list_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        // A client can't acknowledge a ping in the middle of a head (RFC 9113, section 6.2): so a head, or a silence,
        // that lasts for both of these ends the connection.
        .keep_alive_interval(limits.head_timeout / 3)
        .keep_alive_timeout(limits.head_timeout / 3 * 2);
    builder
}
