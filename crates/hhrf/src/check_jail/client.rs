//! The client of the check's requests.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A response.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The kind of problem that the host reports; empty if there is none.
    pub kind: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Well beyond every deadline of the check's manifests.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Sends `body` to `path`, on a connection of its own.
///
/// # Errors
///
/// Those of the sockets; no answer within a minute, or one that isn't HTTP.
pub(super) async fn post(
    address: SocketAddr,
    path: &str,
    request_id: &str,
    body: String,
) -> io::Result<Answer> {
    let request = Request::post(path)
        .header("host", "check-jail")
        .header("x-request-id", request_id)
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    timeout(TIME_MAX, send(address, request)).await.map_err(io::Error::from)?
}

async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> io::Result<Answer> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = handshake(stream).await.map_err(io::Error::other)?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let kind = head.headers.get("fezz-error").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok::<_, hyper::Error>(Answer { status: head.status.as_u16(), kind: kind.to_owned(), body })
    };
    // The connection moves the bytes of the exchange; dropping it closes the socket.
    tokio::select! {
        biased;
        answer = exchange => answer,
        Err(error) = connection => Err(error),
    }
    .map_err(io::Error::other)
}
