//! Frames that the host sends to a worker: written at once as far as the socket takes them, the rest when it takes more.

use crate::admitted::RequestBody;
use bytes::Bytes;
use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::collections::{HashSet, VecDeque};
use std::io::IoSlice;

/// A frame, and how much of it is written.
#[derive(Debug)]
pub(super) struct Frame {
    header: [u8; HEADER_BYTES],
    /// The request's number, if it has a request.
    request: Option<u64>,
    /// A payload without a copy of the body.
    payload: [Bytes; 2],
    written: usize,
    /// What the payload's memory is charged to, if nothing else keeps that.
    body: Option<RequestBody>,
}

/// The frames that aren't written yet, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Frame>,
    /// Whether a write has failed: nothing can be sent any more.
    is_broken: bool,
}

/// How much of what was to be written is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    All,
    InPart,
}

/// How much of a request's frame is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    InPart,
    /// The worker can't have seen it.
    Nothing,
}

impl Frame {
    /// A request, whose payload is not longer than a frame may be.
    pub(super) fn request(id: u64, format: Format, payload: [Bytes; 2]) -> Self {
        let length = u32::try_from(payload[0].len() + payload[1].len());
        // A body is limited to 1 GiB, and what stands beside to a head: see `PAYLOAD_BYTES_MAX` where it is checked.
        let length = length.expect("a payload's length was checked");
        let header = Header { length, kind: Kind::Request, format, id }.encode();
        Self { header, request: Some(id), payload, written: 0, body: None }
    }

    /// A frame without a payload.
    pub(super) fn empty(kind: Kind, id: u64) -> Self {
        let header = Header { length: 0, kind, format: Format::None, id }.encode();
        Self { header, request: None, payload: [Bytes::new(), Bytes::new()], written: 0, body: None }
    }

    fn len(&self) -> usize {
        HEADER_BYTES + self.payload[0].len() + self.payload[1].len()
    }

    /// Writes what fits.
    fn write(&mut self, socket: impl AsFd) -> Result<Written, Errno> {
        while self.written < self.len() {
            let mut skipped = self.written;
            let pieces = [&self.header[..], &self.payload[0][..], &self.payload[1][..]].map(|piece| {
                let of_piece = skipped.min(piece.len());
                skipped -= of_piece;
                IoSlice::new(&piece[of_piece..])
            });
            let used = if self.payload[1].is_empty() { &pieces[..2] } else { &pieces[..] };
            match rustix::io::writev(&socket, used) {
                Ok(written) => self.written += written,
                Err(Errno::AGAIN) => return Ok(Written::InPart),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Written::All)
    }
}

impl Outbox {
    /// Writes a frame, or as much as fits, after those that wait.
    ///
    /// # Errors
    ///
    /// The worker is gone, or has closed its end for reading (`EPIPE`). The frame is kept, so that [`Self::unsent`] counts it.
    pub(super) fn send(&mut self, mut frame: Frame, socket: impl AsFd) -> Result<Written, Errno> {
        let written = match self.frames.is_empty() {
            true => frame.write(socket),
            false => Ok(Written::InPart),
        };
        self.is_broken |= written.is_err();
        if written != Ok(Written::All) {
            self.frames.push_back(frame);
        }
        written
    }

    /// Writes what fits of the frames that wait.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub(super) fn flush(&mut self, socket: impl AsFd) -> Result<Written, Errno> {
        while let Some(first) = self.frames.front_mut() {
            let written = first.write(&socket);
            self.is_broken |= written.is_err();
            if written? == Written::InPart {
                return Ok(Written::InPart);
            }
            self.frames.pop_front();
        }
        Ok(Written::All)
    }

    /// Keeps the body of a request for as long as a part of its frame is to be written.
    pub(super) fn keep(&mut self, request: u64, body: RequestBody) {
        if let Some(frame) = self.frames.iter_mut().find(|frame| frame.request == Some(request)) {
            frame.body = Some(body);
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether a part of this request isn't written yet: then the worker can't have read it.
    pub(super) fn has(&self, request: u64) -> bool {
        self.frames.iter().any(|frame| frame.request == Some(request))
    }

    /// The requests of which no byte was written: the worker never saw them.
    pub(super) fn unsent(&self) -> HashSet<u64> {
        self.frames.iter().filter(|frame| frame.written == 0).filter_map(|frame| frame.request).collect()
    }

    /// Removes the frame of a request, unless a part of it is written: the rest must follow. Returns how much is.
    pub(super) fn withdraw(&mut self, request: u64) -> Sent {
        let Some(at) = self.frames.iter().position(|frame| frame.request == Some(request)) else {
            return Sent::All;
        };
        if self.frames[at].written > 0 {
            return Sent::InPart;
        }
        self.frames.remove(at);
        Sent::Nothing
    }
}
