//! A minimal HTTP/1.1 client for the check's requests.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    /// The kind of problem that the host reports; empty if there is none.
    pub kind: String,
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
    body: &str,
) -> io::Result<Answer> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: check-jail\r\nconnection: close\r\nx-request-id: {request_id}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await?;
        parse(&response).ok_or_else(|| io::Error::other("the host's answer is not HTTP"))
    };
    timeout(TIME_MAX, answer).await.map_err(io::Error::from)?
}

fn parse(response: &[u8]) -> Option<Answer> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&response[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let kind = head.lines().find_map(|line| line.strip_prefix("fezz-error: ")).unwrap_or_default();
    Some(Answer { status, kind: kind.to_owned(), body: response[end + 4..].to_vec() })
}
