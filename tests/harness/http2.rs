//! An HTTP/2 client with many streams that reads and sends only what the test says.

use super::frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, RST_STREAM, block};
use super::{PATIENCE, connect_from};
use std::net::{Ipv4Addr, SocketAddr};

/// A connection that sends nothing by itself, not even a WINDOW_UPDATE.
pub(crate) struct Http2 {
    frames: Frames,
    next_stream: u32,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamOutcome {
    Well,
    ByReset,
}

const WINDOW_UPDATE: u8 = 8;
const INITIAL_WINDOW_SIZE: u16 = 4;

impl Http2 {
    /// Connects from the local address `source`. Each stream may receive `window` bytes.
    pub(crate) fn from(source: Ipv4Addr, address: SocketAddr, window: u32) -> Self {
        let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
        let mut frames = Frames::begin(connect_from(source, address), &setting);
        // The host's connection window: the bodies of all streams together must not exceed 1 MiB.
        while frames.read().expect("the host answers").0 != WINDOW_UPDATE {}
        Self { frames, next_stream: 1 }
    }

    /// Begins a request with `headers` additional headers, all the same single letter. Returns its stream.
    pub(crate) fn begin(&mut self, method: &str, path: &str, headers: usize) -> u32 {
        let fields = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost")];
        let block = [block(&fields), small_headers(headers)].concat();
        let stream = self.next_stream;
        self.next_stream += 2;
        self.send(HEADERS, END_HEADERS, stream, &block);
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

    /// Ends a body with `trailers` equal trailers.
    pub(crate) fn trailers(&mut self, stream: u32, trailers: usize) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &small_headers(trailers));
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // The host may have ended the connection already.
        self.frames.try_write(kind, flags, stream, payload).ok();
    }

    /// Waits for the head of the next response.
    pub(crate) fn wait_for_head(&mut self) {
        while self.frames.read().expect("the host answers").0 != HEADERS {}
    }

    /// Waits for the next stream to end and returns how it ended.
    pub(crate) fn next_end(&mut self) -> StreamOutcome {
        loop {
            let frame = self.frames.read();
            let (kind, flags, ..) = frame.unwrap_or_else(|| panic!("no stream ends within {PATIENCE:?}"));
            match kind {
                RST_STREAM => return StreamOutcome::ByReset,
                HEADERS | DATA if flags & END_STREAM != 0 => return StreamOutcome::Well,
                _ => {}
            }
        }
    }
}

/// The encoding of `headers` equal headers of one letter.
fn small_headers(headers: usize) -> Vec<u8> {
    if headers == 0 {
        return Vec::new();
    }
    // One field goes into the dynamic table, as its newest entry: index 62 (RFC 7541, section 2.3.3).
    [&b"\x40\x01a\x01b"[..], &vec![0x80 | 62; headers - 1]].concat()
}
