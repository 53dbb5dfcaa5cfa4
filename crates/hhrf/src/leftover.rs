//! What a client still sends though it has its answer. It is read and thrown away, within bounds: the kernel answers
//! bytes that come for a closed socket, or that a closing socket leaves unread, by a reset, which overtakes the answer
//! (RFC 9112, section 9.6); a proxy that is still writing then reports a broken connection instead.

use crate::host::Host;
use crate::write_tracker::TrackedRequest;
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

/// Time for a client that goes on sending: what nginx gives it, too (`lingering_time`).
const TIME_MAX: Duration = Duration::from_secs(30);

/// A client that sends nothing for so long has read its answer, or never will.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// A host that ends waits no longer than this, neither for a body nor for a client's end.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Six bodies of the default limit. To send more behind an answer costs a client the answer.
const BYTES_MAX: usize = 64 << 20;

/// A request's body, which knows whether all of it was read.
#[derive(Debug)]
pub struct Upload {
    incoming: Incoming,
    is_over: bool,
}

impl Upload {
    /// Of a request that has just begun.
    pub fn new(incoming: Incoming) -> Self {
        Self { is_over: incoming.is_end_stream(), incoming }
    }

    /// What it says that it has at least.
    pub fn bytes_min(&self) -> u64 {
        self.incoming.size_hint().lower()
    }

    /// What it says that it has, if it says that.
    pub fn bytes_announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next frame; nothing at its end.
    pub async fn frame(&mut self) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        let frame = self.incoming.frame().await;
        self.is_over = !matches!(frame, Some(Ok(_)));
        frame
    }

    /// Whether nothing more comes.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Reads the rest, beside the answer that is being sent, so that the connection can serve on. `request` keeps the
    /// connection busy until then. Where there is too much, hyper ends the connection behind the answer.
    pub fn discard(mut self, request: TrackedRequest, host: Arc<Host>) {
        tokio::spawn(async move {
            let _request = request;
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

    /// Reads the rest until `gone` is cancelled, or its end. Where there is too much, it cancels `stop`.
    pub fn discard_until(mut self, gone: CancellationToken, stop: CancellationToken) {
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
pub async fn linger(host: &Host, mut socket: TcpStream) {
    // Already done, or the client is gone.
    socket.shutdown().await.unwrap_or_default();
    let rest = async {
        let mut bytes = 0;
        while bytes <= BYTES_MAX
            && let Ok(Ok(())) = timeout(SILENCE_MAX, socket.readable()).await
        {
            match throw_away(&socket) {
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
        sleep(LAST_MOMENT).await;
    };
    tokio::select! {
        () = rest => {}
        () = sleep(TIME_MAX) => {}
        () = host_ends => {}
    }
}

/// Its buffer lives for one call, so that a connection that waits has none.
fn throw_away(socket: &TcpStream) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    socket.try_read(&mut buffer)
}
