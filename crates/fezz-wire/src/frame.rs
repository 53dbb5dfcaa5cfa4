//! The protocol between the host and a worker, a process that serves request after request. It runs over the worker's
//! stdin, a `SOCK_STREAM` Unix socket (unix(7)), in both directions.
//!
//! A frame is a header of [`HEADER_BYTES`], then its payload. All numbers are little-endian.
//!
//! | byte | field | |
//! |---|---|---|
//! | 0-3 | length | of the payload, in bytes, up to [`PAYLOAD_BYTES_MAX`] |
//! | 4 | kind | see [`Kind`]; 32 to 63 are kept for streamed bodies |
//! | 5 | format | of the payload, see [`Format`]; 0 where there is none |
//! | 6-7 | reserved | 0 |
//! | 8-15 | id | of the request, see [`Kind`] for the other frames |
//!
//! The rules:
//!
//! - The worker begins with [`Kind::Hello`], which chooses the format of all payloads; [`Format::None`] means JSON. The
//!   host sends nothing before it.
//! - Each request has an id that was never used before in this process. Each gets one response, in any order.
//! - The end of the stream, between two frames, tells a worker that no more requests will come: it answers those that it
//!   has, and exits with status 0.
//! - A frame that breaks a rule (another kind, a format that wasn't chosen, an id that wasn't asked, a second response, a
//!   length over the limit) ends the worker.
//!
//! `hello` of a worker that takes JSON, and the header of request 7 with a payload of 300 bytes:
//!
//! ```
//! use fezz_wire::frame::{Format, Header, Kind, VERSION};
//!
//! let hello = Header { length: 0, kind: Kind::Hello, format: Format::Json, id: VERSION };
//! assert_eq!(hello.encode(), [0, 0, 0, 0, 0x01, 0x02, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
//!
//! let request = Header { length: 300, kind: Kind::Request, format: Format::Json, id: 7 };
//! assert_eq!(request.encode(), [0x2c, 0x01, 0, 0, 0x02, 0x02, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
//! assert_eq!(Header::decode(&request.encode()), Ok(request));
//! ```

/// The length of a frame's header.
pub const HEADER_BYTES: usize = 16;

/// The version of the protocol, which is the id of [`Kind::Hello`].
pub const VERSION: u64 = 1;

/// The longest payload. The limits of a function are lower; this one tells a length from other bytes, and fits into a
/// `usize` and a Python buffer on every machine.
pub const PAYLOAD_BYTES_MAX: u32 = 1 << 30;

/// The beginning of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Of the payload, in bytes.
    pub length: u32,
    /// What the frame is.
    pub kind: Kind,
    /// What the payload is written in.
    pub format: Format,
    /// Of the request.
    pub id: u64,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Worker to host, once and first: it is ready, and takes payloads in the header's format. The id is [`VERSION`]. No
    /// payload.
    Hello = 1,
    /// Host to worker: a `FezzWireRequest`.
    Request = 2,
    /// Worker to host: the `FezzWireResponse` to the request of the same id.
    Response = 3,
    /// Host to worker: the client of this request has disconnected. The worker may stop working on it. It still
    /// responds, with whatever it likes. No payload.
    Cancel = 4,
    /// Host to worker: the heartbeat. The id is a number. No payload.
    Ping = 5,
    /// Worker to host: the answer to a ping, with its id. No payload.
    Pong = 6,
}

/// What a payload is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Format {
    /// There is no payload.
    None = 0,
    /// CBOR (RFC 8949), as on a runner's stdin.
    Cbor = 1,
    /// JSON (RFC 8259): the same maps; see `docs/wire.md` for bytes.
    Json = 2,
    /// MessagePack: the same maps as in CBOR, with bytes as `bin`.
    MessagePack = 3,
}

/// Sixteen bytes are not a frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// No kind of frame.
    #[error("a frame has the kind {0}, which this protocol lacks")]
    Kind(u8),
    /// No format of a payload.
    #[error("a frame has the format {0}, which is none of 0 (none), 1 (CBOR), 2 (JSON), 3 (MessagePack)")]
    Format(u8),
    /// Its reserved bytes are used.
    #[error("a frame's reserved bytes are {0:#06x}, not 0")]
    Reserved(u16),
    /// Longer than any payload.
    #[error("a frame's length is {length} bytes, the limit is {PAYLOAD_BYTES_MAX}")]
    Length {
        /// What it claims.
        length: u32,
    },
    /// A payload where there must be none.
    #[error("a frame of kind {kind} has {length} bytes of payload, and must have none")]
    Payload {
        /// Its kind.
        kind: u8,
        /// The payload's.
        length: u32,
    },
}

impl Header {
    /// As bytes.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.format as u8;
        bytes[8..].copy_from_slice(&self.id.to_le_bytes());
        bytes
    }

    /// What sixteen bytes of the other side mean.
    ///
    /// # Errors
    ///
    /// The rule that they break.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BadHeader> {
        let [a, b, c, d, kind, format, e, f, id @ ..] = *bytes;
        let (length, id) = (u32::from_le_bytes([a, b, c, d]), u64::from_le_bytes(id));
        let header = Self {
            length,
            kind: Kind::of(kind).ok_or(BadHeader::Kind(kind))?,
            format: Format::of(format).ok_or(BadHeader::Format(format))?,
            id,
        };
        match u16::from_le_bytes([e, f]) {
            0 => {}
            reserved => return Err(BadHeader::Reserved(reserved)),
        }
        if length > PAYLOAD_BYTES_MAX {
            return Err(BadHeader::Length { length });
        }
        if length > 0 && !header.kind.has_payload() {
            return Err(BadHeader::Payload { kind, length });
        }
        Ok(header)
    }
}

impl Kind {
    const ALL: [Self; 6] = [Self::Hello, Self::Request, Self::Response, Self::Cancel, Self::Ping, Self::Pong];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    fn has_payload(self) -> bool {
        matches!(self, Self::Request | Self::Response)
    }
}

impl Format {
    const ALL: [Self; 4] = [Self::None, Self::Cbor, Self::Json, Self::MessagePack];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|format| *format as u8 == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: Kind, length: u32) -> Header {
        Header { length, kind, format: Format::Cbor, id: 1 << 40 }
    }

    #[test]
    fn headers_survive_a_round_trip() {
        for kind in Kind::ALL {
            let length = if kind.has_payload() { PAYLOAD_BYTES_MAX } else { 0 };
            let header = header(kind, length);
            assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused_by_its_name() {
        let good = header(Kind::Response, 5).encode();
        let check = |at: usize, byte: u8, expected: BadHeader| {
            let mut bytes = good;
            bytes[at] = byte;
            assert_eq!(Header::decode(&bytes), Err(expected));
        };
        check(4, 0, BadHeader::Kind(0));
        check(4, 32, BadHeader::Kind(32));
        check(5, 4, BadHeader::Format(4));
        check(6, 1, BadHeader::Reserved(1));
        check(7, 1, BadHeader::Reserved(256));
        check(3, 0x40, BadHeader::Length { length: 0x4000_0005 });
        check(4, Kind::Pong as u8, BadHeader::Payload { kind: 6, length: 5 });
    }
}
