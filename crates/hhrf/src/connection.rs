//! One connection: from its first bytes to its last, whichever side ends it.

use crate::head_clock::{HeadClock, HeadTimer, Watched};
use crate::host::Host;
use crate::leftover::linger;
use crate::memory::{Account, Accounts};
use crate::problem::Problem;
use crate::refusal::Refusal;
use crate::sending::Sending;
use crate::settings::Entrance;
use crate::stream::Streams;
use crate::walk;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

/// From the accept to the first bytes that tell the version.
const FIRST_BYTES_WAIT_MAX: Duration = Duration::from_secs(10);

/// A client that takes nothing for so long gets nothing more.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);

/// Where requests come from.
#[derive(Debug)]
pub struct Origin {
    /// The address of this host's that it was made to.
    pub entrance: Entrance,
    /// The other side's address.
    pub peer: IpAddr,
    /// What the connection holds.
    pub connection: Arc<Account>,
    /// What the other side's address holds.
    pub address: Arc<Account>,
    /// What the connection still owes.
    pub sending: Arc<Sending>,
}

/// Serves one connection, HTTP/1.1 or HTTP/2, to its end.
pub async fn connection(
    host: Arc<Host>,
    builder: &Builder<Streams>,
    stream: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
) {
    // A client that never says anything would hold its place for ever while the version is awaited.
    let version = tokio::select! {
        version = timeout(FIRST_BYTES_WAIT_MAX, first_bytes(&stream)) => version,
        () = host.draining() => return,
    };
    let Ok(Ok(version)) = version else { return };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to turn off Nagle's delay");
    }
    // hyper owns the stream and closes it when it thinks fit; what outlives that needs a descriptor of its own.
    let socket = match stream.as_fd().try_clone_to_owned().map(std::net::TcpStream::from) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!(%error, "failed to serve a connection"),
    };
    let begun = Instant::now();
    let (ending, socket) = serve(&host, builder, version, stream, socket, peer, entrance).await;
    tracing::debug!(%peer, ?ending, "a connection ended");
    let Some(socket) = socket else { return };
    match ending {
        Ending::ByHyper | Ending::ByClient => linger(&host, socket).await,
        Ending::LateHead => {
            answer_late_head(&host, &socket, begun.elapsed());
            linger(&host, socket).await;
        }
        // Who let it come to that is owed no more.
        Ending::ByHost(_) => {}
    }
}

/// How a connection came to its end. Mostly it is the client's doing, and each of its requests has its own line.
#[derive(Debug)]
enum Ending {
    /// All was said, or hyper can't go on.
    ByHyper,
    /// The client closed its side.
    ByClient,
    /// A request's head came too slowly.
    LateHead,
    /// The host has no more time for it.
    ByHost(#[expect(dead_code, reason = "for the log")] &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Has hyper serve the connection until one side ends it; gives the socket back.
async fn serve(
    host: &Arc<Host>,
    builder: &Builder<Streams>,
    version: Version,
    stream: TcpStream,
    socket: std::net::TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
) -> (Ending, Option<std::net::TcpStream>) {
    let Ok(socket) = TcpStream::from_std(socket) else { return (Ending::ByHost("no more memory"), None) };
    let clock = HeadClock::new(host.settings.limits.head_timeout);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_STALL_MAX));
    let (own, address) = (Arc::new(Account::default()), host.addresses.of(peer.ip()));
    let accounts =
        Accounts { connection: Some(Arc::clone(&own)), address: Arc::clone(&address), function: None };
    let sending = Sending::new(&host.response_memory, accounts, host.settings.limits.data_rate);
    let stream = Watched::new(Box::pin(stream), Arc::clone(&clock), Arc::clone(&sending));
    let origin = Arc::new(Origin {
        entrance,
        peer: peer.ip(),
        connection: own,
        address,
        sending: Arc::clone(&sending),
    });
    let service = service_fn(|request| {
        let begun = walk::begin(host, &origin, request);
        let answer = walk::answer(Arc::clone(host), Arc::clone(&origin), begun);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = builder.clone();
    builder.http1().timer(HeadTimer(Arc::clone(&clock)));
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut farewell = std::pin::pin!(async {
        tokio::select! {
            () = host.draining() => {}
            // HTTP/1's idle connections have the clock.
            () = sending.idle(host.settings.limits.keep_alive), if version == Version::Http2 => {}
        }
    });
    let mut is_leaving = false;
    let ending = loop {
        tokio::select! {
            served = sending.follow(served.as_mut()) => break match served {
                Err(error) if version == Version::Http1 && is_timeout(&*error) && clock.has_begun() && !sending.is_behind() => Ending::LateHead,
                _ => Ending::ByHyper,
            },
            () = client_gone(&socket) => break Ending::ByClient,
            why = sending.overdue() => break Ending::ByHost(why),
            () = async { host.draining().await; sending.settled().await } => break Ending::ByHost("shutting down"),
            // What has begun is finished, and HTTP/2 clients are told to begin nothing more.
            () = farewell.as_mut(), if !is_leaving => {
                is_leaving = true;
                served.as_mut().graceful_shutdown();
            }
        }
    };
    (ending, socket.into_std().ok())
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
}

/// hyper has no answer to that, and nothing else is on its way.
fn answer_late_head(host: &Host, mut socket: &std::net::TcpStream, duration: Duration) {
    let ms_max = host.settings.limits.head_timeout.as_millis();
    let answer = Problem::Refused(Refusal::HeadTimeout { ms_max });
    let kind = answer.kind();
    host.metrics.series.record_without_function(kind.status.as_u16(), kind.word, duration);
    // It takes all of it at once, since nothing else is to be sent, or the client is gone.
    socket.write_all(&answer.into_http_1()).unwrap_or_default();
}

/// Waits until the bytes that tell the version are there, or differ from HTTP/2's (RFC 9113, section 3.4).
async fn first_bytes(stream: &TcpStream) -> io::Result<Version> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const PAUSE_MAX: Duration = Duration::from_millis(500);
    let mut pause = Duration::from_millis(1);
    let mut bytes = [0; PREFACE.len()];
    loop {
        let peeked = stream.peek(&mut bytes).await?;
        if peeked == 0 || !PREFACE.starts_with(&bytes[..peeked]) {
            return Ok(Version::Http1);
        }
        if peeked == PREFACE.len() {
            return Ok(Version::Http2);
        }
        // What is peeked stays readable: only time tells whether more comes.
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits until the client has closed its side. hyper sees that only once it reads, and it doesn't read while a further
/// request, or a stray byte, waits in its buffer; so the kernel is asked, by a descriptor of its own.
async fn client_gone(socket: &TcpStream) {
    loop {
        match socket.ready(Interest::READABLE).await {
            Ok(ready) if ready.is_read_closed() => return,
            // Bytes for hyper: wait for the next event, whatever it brings.
            Ok(_) => {
                drop(socket.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into())));
            }
            Err(_) => return std::future::pending().await,
        }
    }
}
