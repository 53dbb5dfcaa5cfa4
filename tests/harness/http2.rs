//! HTTP/2 frame by frame (RFC 9113), so that a test can do what no client library does.

use super::{PATIENCE, connect_from};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A connection on which nothing is sent by itself, not even an update of a window.
pub(crate) struct Http2 {
    stream: TcpStream,
    next_stream: u32,
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const INITIAL_WINDOW_SIZE: u16 = 4;

impl Frame {
    /// Whether it ends its stream well.
    pub(crate) fn ends_stream(&self) -> bool {
        [DATA, HEADERS].contains(&self.kind) && self.flags & END_STREAM != 0
    }
}

impl Http2 {
    /// Begins a connection from another local address than other clients', whose streams may receive `window` bytes each.
    pub(crate) fn from(source: Ipv4Addr, address: SocketAddr, window: u32) -> Self {
        let mut connection = Self { stream: connect_from(source, address), next_stream: 1 };
        connection.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
        connection.send(SETTINGS, 0, 0, &setting);
        // The host's own window, of 1 MiB for all streams together, which bodies must not go over.
        while connection.receive(PATIENCE).expect("the host answers").kind != WINDOW_UPDATE {}
        connection
    }

    /// Begins a request with `headers` more, all of one letter each and the same; returns its stream.
    pub(crate) fn begin(&mut self, method: &str, path: &str, headers: usize, ends: bool) -> u32 {
        // Literals that go into no table (RFC 7541, section 6.2.2).
        let literal = |name: &str, value: &str| {
            let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            [vec![0], text(name), text(value)].concat()
        };
        let mut block = [
            literal(":method", method),
            literal(":path", path),
            literal(":scheme", "http"),
            literal(":authority", "localhost"),
        ]
        .concat();
        if headers > 0 {
            // One goes into the table, of which it is the newest entry then: index 62.
            block.extend(b"\x40\x01a\x01b");
            block.extend(vec![0x80 | 62; headers - 1]);
        }
        let stream = self.next_stream;
        self.next_stream += 2;
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.send(HEADERS, flags, stream, &block);
        stream
    }

    /// Sends a part of a body.
    pub(crate) fn data(&mut self, stream: u32, payload: &[u8]) {
        self.send(DATA, 0, stream, payload);
    }

    /// Sends the last part of a body.
    pub(crate) fn end(&mut self, stream: u32, payload: &[u8]) {
        self.send(DATA, END_STREAM, stream, payload);
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat();
        // The host may have ended the connection already.
        self.stream.write_all(&frame).ok();
    }

    /// The next frame; `None` at the connection's end, or when none comes within `patience`.
    pub(crate) fn receive(&mut self, patience: Duration) -> Option<Frame> {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        let mut head = [0; 9];
        self.read(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.read(&mut payload)?;
        Some(Frame { kind: head[3], flags: head[4] })
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) => {
                let is_end = [
                    ErrorKind::UnexpectedEof,
                    ErrorKind::ConnectionReset,
                    ErrorKind::WouldBlock,
                    ErrorKind::TimedOut,
                ];
                assert!(is_end.contains(&error.kind()), "{error}");
                None
            }
        }
    }
}
