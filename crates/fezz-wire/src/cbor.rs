//! CBOR items (RFC 8949) as the wire uses them: the only file that uses the CBOR library.

use crate::WireError;
use ciborium_ll::{Decoder, Encoder, Error, Header as LibraryHeader};

/// The header of one item; its content, if any, follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Header {
    Unsigned(u64),
    Bytes(usize),
    Text(usize),
    /// `None`: the items end with a [`Header::Break`].
    Array(Option<usize>),
    Map(Option<usize>),
    Break,
    /// One more item follows and belongs to this one.
    Tag,
    /// Negative integers, floats, booleans, null: items without content, which no message uses.
    Scalar,
}

/// Reads the header at `at`. Returns the header and the offset after it; `Ok(None)` if `input` ends within the header.
pub(crate) fn read_header(input: &[u8], at: usize) -> Result<Option<(Header, usize)>, WireError> {
    let Some(rest) = input.get(at..) else { return Ok(None) };
    let mut decoder = Decoder::from(rest);
    let header = match decoder.pull() {
        Ok(header) => header,
        Err(Error::Io(_)) => return Ok(None),
        Err(Error::Syntax(_)) => return Err(WireError::Malformed { at }),
    };
    let header = match header {
        LibraryHeader::Positive(value) => Header::Unsigned(value),
        LibraryHeader::Bytes(Some(bytes)) => Header::Bytes(bytes),
        LibraryHeader::Text(Some(bytes)) => Header::Text(bytes),
        LibraryHeader::Bytes(None) | LibraryHeader::Text(None) => {
            return Err(WireError::IndefiniteString { at });
        }
        LibraryHeader::Array(items) => Header::Array(items),
        LibraryHeader::Map(pairs) => Header::Map(pairs),
        LibraryHeader::Break => Header::Break,
        LibraryHeader::Tag(_) => Header::Tag,
        LibraryHeader::Negative(_) | LibraryHeader::Float(_) | LibraryHeader::Simple(_) => Header::Scalar,
    };
    Ok(Some((header, at + decoder.offset())))
}

/// Writes items into a vector, lengths definite and each integer in its shortest form.
#[derive(Default)]
pub(crate) struct Writer {
    output: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { output: Vec::with_capacity(bytes) }
    }

    fn header(&mut self, header: LibraryHeader) {
        let written = Encoder::from(&mut self.output).push(header);
        written.expect("a vector takes every write");
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        self.header(LibraryHeader::Positive(value));
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.header(LibraryHeader::Text(Some(value.len())));
        self.output.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.bytes_header(value.len());
        self.output.extend_from_slice(value);
    }

    /// Writes the header of a byte string whose content the caller appends.
    pub(crate) fn bytes_header(&mut self, bytes: usize) {
        self.header(LibraryHeader::Bytes(Some(bytes)));
    }

    pub(crate) fn map(&mut self, pairs: usize) {
        self.header(LibraryHeader::Map(Some(pairs)));
    }

    pub(crate) fn array(&mut self, items: usize) {
        self.header(LibraryHeader::Array(Some(items)));
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.output
    }
}
