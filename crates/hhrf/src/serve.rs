//! One listener: accepts connections, limits their number and the size of their heads, and waits for their end.

use crate::arriving::HeadLimits;
use crate::connection::connection;
use crate::host::Host;
use crate::origin::Origin;
use crate::settings::{HostLimits, Listener, Settings};
use crate::share::{Connected, RefusalLog, share};
use crate::socket;
use crate::stream::Streams;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto::Builder;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// Streams of one HTTP/2 connection. The heads of all of them can arrive at once, and are decoded before the first can be
/// refused; RFC 9113, section 6.5.2, advises against fewer than 100. A proxy that has more requests opens more connections.
const STREAMS_MAX: u32 = 128;

/// Serves one listener until `stop`, then lets the connections finish their requests, and returns when all have ended.
pub(crate) async fn serve(
    host: Arc<Host>,
    socket: TcpListener,
    listener: Listener,
    stop: impl Future<Output = ()>,
) {
    let connections_max = host.settings.limits.connections;
    let connections = Arc::new(Semaphore::new(connections_max));
    let head_limits = head_limits(&host.settings.limits);
    let builder = Arc::new(builder(&host.settings.limits, head_limits));
    let is_shared = is_shared(&host.settings, listener);
    let mut refusals = RefusalLog::default();
    let mut stop = std::pin::pin!(stop);
    loop {
        let permit = Arc::clone(&connections).acquire_owned();
        let accepted = tokio::select! {
            accepted = async { (permit.await, socket.accept().await) } => accepted,
            () = &mut stop => break,
        };
        let (permit, accepted) = accepted;
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                // Out of descriptors, or a connection that ended before it was accepted: the next may succeed.
                const PAUSE: Duration = Duration::from_millis(100);
                tracing::warn!(%error, "failed to accept a connection; retry in 0.1 s");
                sleep(PAUSE).await;
                continue;
            }
        };
        let address = host.addresses.of(peer);
        // Without this one, which has its permit already.
        let taken = connections_max - connections.available_permits() - 1;
        let own = address.connections().load(Ordering::Relaxed);
        let address_max = if is_shared { share(connections_max, taken, own) } else { usize::MAX };
        let Some(connected) = Connected::new(address, address_max) else {
            host.metrics.connections_refused.inc();
            refusals.refused(peer, address_max);
            socket::reset(stream);
            continue;
        };
        let (host, builder) = (Arc::clone(&host), Arc::clone(&builder));
        // What operators ask is answered also while all processors are busy.
        let cores = host.cores.clone().filter(|_| listener == Listener::Main);
        let served = async move |stream| {
            let _permit = permit;
            let origin = Origin::new(&host, listener, peer, Arc::clone(connected.address()));
            connection(host, &builder, head_limits, stream, origin).await;
            drop(connected);
        };
        match cores {
            None => drop(tokio::spawn(served(stream))),
            Some(cores) => cores.spawn_connection(stream, served),
        }
    }
    drop(socket);
    // Each connection holds its permit until it ends; the host tells them all to drain.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    connections.acquire_many(all).await.map(drop).unwrap_or_default();
}

/// Whether each address has a share of the connections. Not with trusted proxies, which carry many clients' requests, and
/// not on the admin listener, which has permits of its own.
fn is_shared(settings: &Settings, listener: Listener) -> bool {
    !settings.trust_proxy && listener != Listener::Admin
}

fn head_limits(limits: &HostLimits) -> HeadLimits {
    // h2 decodes incomplete heads, and nothing else limits those. RFC 9113, section 6.5.2, adds 32 for each header.
    const HEADER_BYTES: usize = 2 * 32;
    HeadLimits {
        // Above these limits hyper answers with a bare 431 and closes. The host's own limit, with a problem document,
        // is well below.
        http_1_bytes: limits.header_bytes.saturating_mul(2).max(16 * 1024),
        http_2_bytes: limits.header_bytes.saturating_add(limits.headers.saturating_mul(HEADER_BYTES)),
    }
}

fn builder(limits: &HostLimits, heads: HeadLimits) -> Builder<Streams> {
    let mut builder = Builder::new(Streams);
    builder
        .http1()
        // Until the first byte. From there on, each connection's own timer applies the head's timeout.
        .header_read_timeout(limits.keep_alive)
        .max_headers(limits.headers * 2)
        .max_buf_size(heads.http_1_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(heads.http_2_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        // Ends connections whose client is gone. No client can acknowledge a ping in the middle of a head (RFC 9113,
        // section 6.2), so this timeout is no shorter than the head's.
        .keep_alive_interval(limits.head_timeout / 3)
        .keep_alive_timeout(limits.head_timeout);
    builder
}
