//! CBOR items (RFC 8949) as the wire uses them: their headers, which is all of CBOR that a message needs.

use crate::WireError;

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

/// The upper three bits of a header (RFC 8949, section 3.1).
mod major {
    pub(super) const UNSIGNED: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
    pub(super) const MAP: u8 = 5;
    pub(super) const TAG: u8 = 6;
}

/// The lower five bits that announce an argument of 1, 2, 4 or 8 bytes; smaller ones are the argument.
const ONE_BYTE: u8 = 24;
const EIGHT_BYTES: u8 = 27;
/// The lower five bits of an indefinite length, and of a break.
const INDEFINITE: u8 = 31;

/// Reads the header at `at`. Returns the header and the offset after it; `Ok(None)` if `input` ends within the header.
pub(crate) fn read_header(input: &[u8], at: usize) -> Result<Option<(Header, usize)>, WireError> {
    let Some(&first) = input.get(at) else { return Ok(None) };
    let (argument, next) = match first & 0x1f {
        small @ ..ONE_BYTE => (Some(u64::from(small)), at + 1),
        width @ ONE_BYTE..=EIGHT_BYTES => {
            let next = at + 1 + (1 << (width - ONE_BYTE));
            let Some(bytes) = input.get(at + 1..next) else { return Ok(None) };
            (Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))), next)
        }
        INDEFINITE => (None, at + 1),
        _ => return Err(WireError::Malformed { at }),
    };
    let header = header(first >> 5, argument, at)?;
    Ok(Some((header, next)))
}

/// What a header means; `argument` is `None` for an indefinite length.
fn header(major: u8, argument: Option<u64>, at: usize) -> Result<Header, WireError> {
    let malformed = || WireError::Malformed { at };
    let length = || argument.map(|length| usize::try_from(length).map_err(|_| malformed())).transpose();
    Ok(match major {
        major::UNSIGNED => Header::Unsigned(argument.ok_or_else(malformed)?),
        major::NEGATIVE => argument.map(|_| Header::Scalar).ok_or_else(malformed)?,
        major::BYTES => Header::Bytes(length()?.ok_or(WireError::IndefiniteString { at })?),
        major::TEXT => Header::Text(length()?.ok_or(WireError::IndefiniteString { at })?),
        major::ARRAY => Header::Array(length()?),
        major::MAP => Header::Map(length()?),
        major::TAG => argument.map(|_| Header::Tag).ok_or_else(malformed)?,
        // Floats and simple values.
        _ => argument.map_or(Header::Break, |_| Header::Scalar),
    })
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

    fn header(&mut self, major: u8, argument: u64) {
        let bytes = argument.to_be_bytes();
        // The argument's last bytes, 1, 2, 4 or 8 of them.
        let (info, from) = match argument {
            ..=0x17 => return self.output.push(major << 5 | bytes[7]),
            0x18..=0xff => (ONE_BYTE, 7),
            0x100..=0xffff => (ONE_BYTE + 1, 6),
            0x1_0000..=0xffff_ffff => (ONE_BYTE + 2, 4),
            _ => (EIGHT_BYTES, 0),
        };
        self.output.push(major << 5 | info);
        self.output.extend_from_slice(&bytes[from..]);
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        self.header(major::UNSIGNED, value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.header(major::TEXT, value.len() as u64);
        self.output.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.bytes_header(value.len());
        self.output.extend_from_slice(value);
    }

    /// Writes the header of a byte string whose content the caller appends.
    pub(crate) fn bytes_header(&mut self, bytes: usize) {
        self.header(major::BYTES, bytes as u64);
    }

    pub(crate) fn map(&mut self, pairs: usize) {
        self.header(major::MAP, pairs as u64);
    }

    pub(crate) fn array(&mut self, items: usize) {
        self.header(major::ARRAY, items as u64);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ciborium_ll::{Decoder, Error, Header as LibraryHeader};
    use proptest::prelude::*;

    type Found = Result<Option<(Header, usize)>, WireError>;

    /// What another implementation reads there.
    fn by_library(input: &[u8]) -> Found {
        let mut decoder = Decoder::from(input);
        let header = match decoder.pull() {
            Ok(header) => header,
            Err(Error::Io(_)) => return Ok(None),
            Err(Error::Syntax(_)) => return Err(WireError::Malformed { at: 0 }),
        };
        let header = match header {
            LibraryHeader::Positive(value) => Header::Unsigned(value),
            LibraryHeader::Bytes(Some(bytes)) => Header::Bytes(bytes),
            LibraryHeader::Text(Some(bytes)) => Header::Text(bytes),
            LibraryHeader::Bytes(None) | LibraryHeader::Text(None) => {
                return Err(WireError::IndefiniteString { at: 0 });
            }
            LibraryHeader::Array(items) => Header::Array(items),
            LibraryHeader::Map(pairs) => Header::Map(pairs),
            LibraryHeader::Break => Header::Break,
            LibraryHeader::Tag(_) => Header::Tag,
            LibraryHeader::Negative(_) | LibraryHeader::Float(_) | LibraryHeader::Simple(_) => Header::Scalar,
        };
        Ok(Some((header, decoder.offset())))
    }

    #[test]
    fn every_first_byte_is_read_as_another_implementation_reads_it() {
        for first in 0..=u8::MAX {
            for more in 0..9 {
                let input = [&[first], &[0x81, 0x02, 0xff, 0x40, 5, 6, 7, 8][..more]].concat();
                assert_eq!(read_header(&input, 0), by_library(&input), "{input:02x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn headers_that_are_written_are_read_again_and_have_the_shortest_form(
            shift in 0_u32..64,
            value in any::<u64>(),
        ) {
            let value = value >> shift;
            let mut writer = Writer::default();
            writer.unsigned(value);
            let bytes = writer.into_bytes();
            let mut expected = Vec::new();
            ciborium_ll::Encoder::from(&mut expected).push(LibraryHeader::Positive(value)).unwrap();
            prop_assert_eq!(&bytes, &expected);
            prop_assert_eq!(read_header(&bytes, 0), Ok(Some((Header::Unsigned(value), bytes.len()))));
        }
    }
}
