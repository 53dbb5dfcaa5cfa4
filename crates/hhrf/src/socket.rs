//! A connection's socket, beside hyper, which owns the stream and may close it at any time.

use socket2::SockRef;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How many unsent bytes the kernel takes for a connection (TCP_NOTSENT_LOWAT in tcp(7)); the rest stays in the host's
/// memory, which is charged. Without it that is up to 4 MiB (`tcp_wmem`): for 100 clients that read nothing of 10 MB
/// each the kernel held 388 MiB, with 256 KiB 37, with 128 KiB 27. The throughput of those that read is the same with
/// 256 KiB; with 128 a little less, for the host is woken more often.
const UNSENT_BYTES_MAX: u32 = 256 * 1024;

/// The host's own descriptor of a connection, which outlives hyper's.
#[derive(Debug)]
pub(crate) enum OwnSocket {
    /// The runtime isn't told of its events: with hyper's descriptor it would be told of each twice.
    Unwatched(OwnedFd),
    /// From the first request on that isn't answered at once.
    Watched(TcpStream),
    /// The system had no room to watch it.
    Closed,
}

/// Sets the options of an accepted connection.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<OwnSocket> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to turn off Nagle's delay");
    }
    if let Err(error) = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX) {
        tracing::debug!(%error, "failed to bound what the kernel holds unsent");
    }
    Ok(OwnSocket::Unwatched(stream.as_fd().try_clone_to_owned()?))
}

impl OwnSocket {
    /// The descriptor as a stream of the runtime.
    pub(crate) fn into_watched(self) -> io::Result<TcpStream> {
        match self {
            Self::Unwatched(descriptor) => TcpStream::from_std(descriptor.into()),
            Self::Watched(stream) => Ok(stream),
            Self::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Waits until the client has closed its side. hyper sees that only when it reads, and it doesn't read while a further
    /// request, or a stray byte, waits in its buffer. So the host asks the kernel by its own descriptor.
    pub(crate) async fn client_gone(&mut self) {
        if !matches!(self, Self::Watched(_)) {
            let watched = std::mem::replace(self, Self::Closed).into_watched();
            *self = watched.map_or(Self::Closed, Self::Watched);
        }
        match self {
            Self::Watched(stream) => client_gone(stream).await,
            _ => std::future::pending().await,
        }
    }
}

/// Ends a connection and drops what the kernel holds for it, unsent bytes included (SO_LINGER in socket(7)). Otherwise
/// a client that reads nothing keeps them there for minutes.
pub(crate) fn reset(socket: TcpStream) {
    if let Err(error) = socket.set_zero_linger() {
        tracing::debug!(%error, "failed to reset a connection");
    }
}

async fn client_gone(socket: &TcpStream) {
    loop {
        match socket.ready(Interest::READABLE).await {
            Ok(ready) if ready.is_read_closed() => return,
            // Bytes for hyper: wait for the next event.
            Ok(_) => {
                drop(socket.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into())));
            }
            Err(_) => return std::future::pending().await,
        }
    }
}
