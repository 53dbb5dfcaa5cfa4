//! HTTP/2 frames by hand (RFC 9113, section 4), for frames that no client library sends.

use super::connect;
use http_body_util::Full;
use hyper::body::Bytes;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection on which the test writes every frame itself.
pub(crate) struct Frames(TcpStream);

/// The outcome of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// A response: its status and the number of DATA bytes. Status 0 means one without an entry in HPACK's static table.
    Response(u16, usize),
    /// The stream was reset, for this reason.
    Reset(u32),
    /// The connection ended, with or without GOAWAY.
    Closed,
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

impl Frames {
    /// Connects and sends the HTTP/2 preface.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::begin(connect(address), &[])
    }

    /// Sends the HTTP/2 preface with these settings (RFC 9113, section 6.5).
    pub(crate) fn begin(mut stream: TcpStream, settings: &[u8]) -> Self {
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut frames = Self(stream);
        frames.write(SETTINGS, 0, 0, settings);
        frames
    }

    /// Sends a request without a body on stream 1.
    pub(crate) fn request(&mut self, fields: &[(&str, &str)]) {
        self.write(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields));
    }

    /// Sends the beginning of a request's head, with more to follow.
    pub(crate) fn half_a_head(&mut self, fields: &[(&str, &str)]) {
        self.write(HEADERS, END_STREAM, 1, &block(fields));
    }

    /// Sends one more field of that head, without ending it.
    pub(crate) fn continue_head(&mut self) -> io::Result<()> {
        self.try_write(CONTINUATION, 0, 1, &block(&[("x", "x")]))
    }

    /// Sends the last field of that head.
    pub(crate) fn end_head(&mut self) {
        self.write(CONTINUATION, END_HEADERS, 1, &block(&[("x", "x")]));
    }

    /// Sends a head in which each octet is a header, without ending it.
    pub(crate) fn half_a_head_of(&mut self, headers: usize) -> io::Result<()> {
        // One field goes into the dynamic table, as its newest entry: index 62 (RFC 7541, section 2.3.3).
        let block = [&b"\x40\x01a\x01b"[..], &vec![0x80 | 62; headers]].concat();
        self.try_write(HEADERS, 0, 1, &block)
    }

    /// Sends a head without its last octet, in a frame whose length includes that octet. Returns the octet.
    pub(crate) fn all_but_an_octet(&mut self, fields: &[(&str, &str)]) -> u8 {
        let block = block(fields);
        let length = u8::try_from(block.len()).unwrap();
        self.0.write_all(&[0, 0, length, HEADERS, END_STREAM | END_HEADERS, 0, 0, 0, 1]).unwrap();
        let (last, rest) = block.split_last().unwrap();
        self.0.write_all(rest).unwrap();
        *last
    }

    /// Sends the missing octet.
    pub(crate) fn octet(&mut self, octet: u8) {
        self.0.write_all(&[octet]).unwrap();
    }

    /// Reads up to a ping and doesn't answer it.
    pub(crate) fn await_ping(&mut self) {
        while self.read().expect("the host pings").0 != PING {}
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.try_write(kind, flags, stream, payload).unwrap();
    }

    pub(super) fn try_write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame)
    }

    /// Waits up to `time` for input, drops the input, and returns whether it was the connection's end.
    pub(crate) fn has_ended_within(&mut self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        match self.0.read(&mut [0; 4096]) {
            Ok(read) => read == 0,
            Err(error) => ![io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()),
        }
    }

    /// The next frame's kind, flags, stream and payload; `None` at the connection's end or when no frame arrives in
    /// time.
    pub(super) fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
    }

    /// Reads to the end of stream 1.
    pub(crate) fn stream_end(&mut self) -> StreamEnd {
        let (mut status, mut bytes) = (0, 0);
        while let Some((kind, flags, stream, payload)) = self.read() {
            match (kind, stream) {
                (HEADERS, 1) => status = status_of(&payload),
                (DATA, 1) => bytes += payload.len(),
                (RST_STREAM, 1) => return StreamEnd::Reset(u32::from_be_bytes(payload.try_into().unwrap())),
                (GOAWAY, _) => return StreamEnd::Closed,
                _ => {}
            }
            if [HEADERS, DATA].contains(&kind) && flags & END_STREAM != 0 {
                return StreamEnd::Response(status, bytes);
            }
        }
        StreamEnd::Closed
    }

    /// Reads to the connection's end, and returns whether GOAWAY announced it.
    pub(crate) fn connection_end(&mut self) -> bool {
        let mut was_announced = false;
        while let Some((kind, ..)) = self.read() {
            was_announced |= kind == GOAWAY;
        }
        was_announced
    }
}

/// A head as HPACK literals without indexing (RFC 7541, section 6.2.2).
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The status of a response head, which HPACK sends as an index of its static table (RFC 7541, appendix A).
fn status_of(block: &[u8]) -> u16 {
    const FIRST: u8 = 0x88;
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    block.first().and_then(|byte| KNOWN.get(usize::from(byte.checked_sub(FIRST)?))).copied().unwrap_or(0)
}

/// Runs `talk` on an HTTP/2 connection of hyper's client.
pub(crate) fn http_2<T>(
    address: SocketAddr,
    talk: impl AsyncFnOnce(hyper::client::conn::http2::SendRequest<Full<Bytes>>) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let executor = hyper_util::rt::TokioExecutor::new();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
        tokio::spawn(connection);
        talk(sender).await
    })
}
