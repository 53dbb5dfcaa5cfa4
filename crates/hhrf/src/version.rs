//! Which version of HTTP a client speaks.

use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A version that the host serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
}

/// Waits until the first bytes are HTTP/2's preface (RFC 9113, section 3.4), or differ from it.
pub(crate) async fn first_bytes(stream: &TcpStream) -> io::Result<Version> {
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
        // Peeked bytes keep the socket readable, so readiness can't tell whether more has arrived.
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
