//! One connection: from its first bytes to its last, whichever side ends it.

use crate::host::Host;
use crate::memory::Account;
use crate::sending::Sending;
use crate::settings::Entrance;
use crate::stream::Streams;
use crate::walk;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
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
    watcher: Watcher,
) {
    // A client that never says anything would hold its place for ever while the version is awaited.
    tokio::select! {
        spoke = timeout(FIRST_BYTES_WAIT_MAX, first_bytes(&stream)) => if !matches!(spoke, Ok(Ok(()))) { return },
        () = host.draining() => return,
    }
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to turn off Nagle's delay");
    }
    let gone = client_gone(&stream);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_STALL_MAX));
    let sending = Sending::new();
    let origin = Arc::new(Origin {
        entrance,
        peer: peer.ip(),
        connection: Arc::new(Account::default()),
        address: host.addresses.of(peer.ip()),
        sending: Arc::clone(&sending),
    });
    let service = service_fn(|request| {
        let begun = walk::begin(&host, &origin, request);
        let answer = walk::answer(Arc::clone(&host), Arc::clone(&origin), begun);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let served = watcher.watch(builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
    let why: String = tokio::select! {
        served = served => match served {
            Ok(()) => return,
            Err(error) => error.to_string(),
        },
        () = gone => "the client closed it".to_owned(),
        why = sending.overdue() => why.to_owned(),
        () = async { host.draining().await; sending.settled().await } => "the host is shutting down".to_owned(),
    };
    // Mostly the client's doing, and each of its requests has its own line.
    tracing::debug!(%peer, why, "a connection ended early");
}

/// Waits until the bytes that tell the version are there, or differ from HTTP/2's (RFC 9113, section 3.4).
async fn first_bytes(stream: &TcpStream) -> io::Result<()> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const PAUSE_MAX: Duration = Duration::from_millis(500);
    let mut pause = Duration::from_millis(1);
    let mut bytes = [0; PREFACE.len()];
    loop {
        let peeked = stream.peek(&mut bytes).await?;
        if peeked == 0 || peeked == PREFACE.len() || !PREFACE.starts_with(&bytes[..peeked]) {
            return Ok(());
        }
        // What is peeked stays readable: only time tells whether more comes.
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits until the client has closed its side. hyper sees that only once it reads, and it doesn't read while a further
/// request, or a stray byte, waits in its buffer; so the kernel is asked, by a descriptor of its own.
fn client_gone(stream: &TcpStream) -> impl Future<Output = ()> + use<> {
    let duplicate = stream.as_fd().try_clone_to_owned().map(std::net::TcpStream::from);
    let watched = duplicate.and_then(TcpStream::from_std);
    async move {
        // Without a descriptor for it (EMFILE), hyper's own way has to do.
        let Ok(watched) = watched else { return std::future::pending().await };
        loop {
            match watched.ready(Interest::READABLE).await {
                Ok(ready) if ready.is_read_closed() => return,
                // Bytes for hyper: wait for the next event, whatever it brings.
                Ok(_) => drop(
                    watched.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into())),
                ),
                Err(_) => return std::future::pending().await,
            }
        }
    }
}
