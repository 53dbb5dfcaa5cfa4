//! Reads and discards what a client still sends after its answer, within limits. Otherwise the kernel would answer
//! those bytes with a reset, which can overtake the answer (RFC 9112, section 9.6), and a proxy that is still writing
//! would report a broken connection.

use crate::host::Host;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Time for a client that goes on sending; nginx has the same (`lingering_time`).
const TIME_MAX: Duration = Duration::from_secs(30);

/// A client that sends nothing for so long has read its answer, or won't read it.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// A host that drains waits no longer than this for a body or for the client to close.
const DRAIN_WAIT_MAX: Duration = Duration::from_millis(500);

/// Six bodies of the default limit. A client that sends more after its answer may lose the answer.
const BYTES_MAX: usize = 64 << 20;

/// A request's body, which knows whether all of it was read.
#[derive(Debug)]
pub(crate) struct Upload {
    incoming: Incoming,
    is_over: bool,
}

impl Upload {
    pub(crate) fn new(incoming: Incoming) -> Self {
        Self { is_over: incoming.is_end_stream(), incoming }
    }

    /// The least that the body has, as announced.
    pub(crate) fn bytes_min(&self) -> u64 {
        self.incoming.size_hint().lower()
    }

    /// The announced length, if there is one.
    pub(crate) fn bytes_announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        let frame = self.incoming.frame().await;
        self.is_over = !matches!(frame, Some(Ok(_)));
        frame
    }

    /// Whether nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Discards the rest while the answer is being sent, so that the connection can serve the next request, and drops
    /// `guard` then. If there is too much, hyper ends the connection after the answer.
    pub(crate) fn discard(mut self, guard: impl Send + 'static, host: Arc<Host>) {
        tokio::spawn(async move {
            let _guard = guard;
            let rest = async {
                let mut bytes = 0;
                while let Ok(Some(Ok(frame))) = timeout(SILENCE_MAX, self.frame()).await
                    && bytes <= BYTES_MAX
                {
                    bytes += frame.data_ref().map_or(0, Bytes::len);
                }
            };
            in_time(&host, rest).await;
        });
    }

    /// Discards the rest until its end, or until `gone` is cancelled. If there is too much, it cancels `stop`.
    pub(crate) fn discard_until(mut self, gone: CancellationToken, stop: CancellationToken) {
        tokio::spawn(async move {
            let rest = async {
                let mut bytes = 0;
                while let Some(Ok(frame)) = self.frame().await {
                    bytes += frame.data_ref().map_or(0, Bytes::len);
                    if bytes > BYTES_MAX {
                        return stop.cancel();
                    }
                }
            };
            tokio::select! {
                () = gone.cancelled() => {}
                () = rest => {}
            }
        });
    }
}

/// Ends this side of a connection, and waits for the client to end its own.
pub(crate) async fn linger(host: &Host, mut socket: TcpStream) {
    // Fails if that is done already, or the client is gone.
    socket.shutdown().await.unwrap_or_default();
    let rest = async {
        let mut bytes = 0;
        while bytes <= BYTES_MAX
            && let Ok(Ok(())) = timeout(SILENCE_MAX, socket.readable()).await
        {
            match discard_some(&socket) {
                Ok(0) => return,
                Ok(read) => bytes += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    in_time(host, rest).await;
}

async fn in_time(host: &Host, rest: impl Future<Output = ()>) {
    let host_ends = async {
        host.draining().await;
        sleep(DRAIN_WAIT_MAX).await;
    };
    tokio::select! {
        () = rest => {}
        () = sleep(TIME_MAX) => {}
        () = host_ends => {}
    }
}

/// The buffer lives for one call, so that an idle connection has none.
fn discard_some(socket: &TcpStream) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    socket.try_read(&mut buffer)
}
