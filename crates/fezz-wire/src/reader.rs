//! Reads a whole message, item by item, as the schema asks for them.

use crate::cbor::{Header, read_header};
use crate::framer::Scan;
use crate::{Framer, Progress, WireError};

/// Reads the items of one whole message, borrowing its strings.
pub(crate) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Scans `input` once, so that every later read finds complete items, and starts at its beginning.
    pub(crate) fn new(input: &'a [u8]) -> Result<Self, WireError> {
        match Framer::default().advance(input)? {
            Progress::Complete { bytes } if bytes < input.len() => {
                Err(WireError::TrailingBytes { at: bytes })
            }
            Progress::Complete { .. } => Ok(Self { input, at: 0 }),
            Progress::Partial { .. } => Err(WireError::Truncated { bytes: input.len() }),
        }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn header(&mut self) -> Result<Header, WireError> {
        let found = read_header(self.input, self.at)?;
        let (header, next) = found.ok_or(WireError::Truncated { bytes: self.input.len() })?;
        self.at = next;
        Ok(header)
    }

    fn string(&mut self, bytes: usize) -> Result<&'a [u8], WireError> {
        let truncated = WireError::Truncated { bytes: self.input.len() };
        let end = self.at.checked_add(bytes).ok_or_else(|| truncated.clone())?;
        let string = self.input.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(string)
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, WireError> {
        let at = self.at;
        match self.header()? {
            Header::Unsigned(value) => Ok(value),
            _ => Err(WireError::WrongType { expected: "an unsigned integer", at }),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let at = self.at;
        match self.header()? {
            Header::Bytes(bytes) => self.string(bytes),
            _ => Err(WireError::WrongType { expected: "a byte string", at }),
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, WireError> {
        let at = self.at;
        match self.header()? {
            Header::Text(bytes) => str::from_utf8(self.string(bytes)?).map_err(|_| WireError::NotUtf8 { at }),
            _ => Err(WireError::WrongType { expected: "text", at }),
        }
    }

    /// Enters a map; the caller reads its pairs while [`Reader::more`] returns true.
    pub(crate) fn map(&mut self) -> Result<Left, WireError> {
        let at = self.at;
        match self.header()? {
            Header::Map(pairs) => Ok(Left(pairs)),
            _ => Err(WireError::WrongType { expected: "a map", at }),
        }
    }

    /// Enters an array, likewise.
    pub(crate) fn array(&mut self) -> Result<Left, WireError> {
        let at = self.at;
        match self.header()? {
            Header::Array(items) => Ok(Left(items)),
            _ => Err(WireError::WrongType { expected: "an array", at }),
        }
    }

    /// Whether the array or map has another item or pair; skips the break that ends an indefinite one.
    pub(crate) fn more(&mut self, left: &mut Left) -> Result<bool, WireError> {
        match &mut left.0 {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None => {
                let before = self.at;
                if self.header()? == Header::Break {
                    return Ok(false);
                }
                self.at = before;
                Ok(true)
            }
        }
    }

    /// Skips one item of any kind.
    pub(crate) fn skip(&mut self) -> Result<(), WireError> {
        match Scan::from(self.at).advance(self.input)? {
            Progress::Complete { bytes } => self.at = bytes,
            Progress::Partial { .. } => return Err(WireError::Truncated { bytes: self.input.len() }),
        }
        Ok(())
    }
}

/// How many items, or pairs, of an array or map are still unread; `None` if a break ends it.
pub(crate) struct Left(Option<usize>);
