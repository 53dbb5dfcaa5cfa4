//! Connections: accepted, bounded, served over HTTP/1.1 or HTTP/2, and brought to an end.

use crate::host::Host;
use crate::walk;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

/// By which address a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// `--listen`.
    Main,
    /// `--admin`.
    Admin,
}

/// From the accept, or the last response, to the end of the next request's headers. Longer than proxies keep idle
/// connections is of no use; shorter makes them meet closed ones.
const HEADERS_WAIT_MAX: Duration = Duration::from_secs(90);

/// From the accept to the first bytes that tell the version.
const FIRST_BYTES_WAIT_MAX: Duration = Duration::from_secs(10);

/// A client that takes nothing for so long gets nothing more.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// Streams of one HTTP/2 connection: Envoy's own limit would be far above a host's processes.
const STREAMS_MAX: u32 = 256;

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
    let builder = Arc::new(builder(host.settings.limits.header_bytes));
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
                const PAUSE: Duration = Duration::from_millis(10);
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

fn builder(header_bytes: usize) -> Builder<TokioExecutor> {
    // hyper answers what is over these by a bare 431 and closes; the host's own limit, with a problem to read, stands
    // well below.
    let hypers_limit = header_bytes.saturating_mul(2).max(16 * 1024);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WAIT_MAX)
        .max_headers(fezz_wire::PAIRS_MAX * 2)
        .max_buf_size(hypers_limit);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(hypers_limit).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL);
    builder
}

async fn connection(
    host: Arc<Host>,
    builder: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // A client that never says anything would hold its place for ever while the version is awaited.
    if !matches!(timeout(FIRST_BYTES_WAIT_MAX, first_bytes(&stream)).await, Ok(Ok(()))) {
        return;
    }
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to turn off Nagle's delay");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_STALL_MAX));
    let service = service_fn(|request| {
        let answer = walk::answer(Arc::clone(&host), entrance, peer, request);
        async move { Ok::<_, Infallible>(answer.await.map(Full::new)) }
    });
    let connection = builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
    if let Err(error) = watcher.watch(connection).await {
        // The client's doing, and each of its requests has its own line.
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// Waits until the bytes that tell the version are there, or differ from HTTP/2's (RFC 9113, section 3.4).
async fn first_bytes(stream: &TcpStream) -> std::io::Result<()> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const PAUSE: Duration = Duration::from_millis(5);
    let mut bytes = [0; PREFACE.len()];
    loop {
        let peeked = stream.peek(&mut bytes).await?;
        if peeked == 0 || peeked == PREFACE.len() || !PREFACE.starts_with(&bytes[..peeked]) {
            return Ok(());
        }
        // What is peeked stays readable: only time tells whether more comes.
        sleep(PAUSE).await;
    }
}
