//! Finds the end of a message while it arrives: a scan over CBOR items that keeps a few counts and allocates nothing.

use crate::cbor::{Header, read_header};
use crate::{NESTING_MAX, WireError};

/// Follows a message that arrives in pieces.
///
/// ```
/// use fezz_wire::{Framer, Progress};
/// let message = [0xa1, 0x61, b'k', 0x42, 1, 2]; // {"k": h'0102'}
/// let mut framer = Framer::default();
/// assert_eq!(framer.advance(&message[..4]), Ok(Progress::Partial { at_least: 6 }));
/// assert_eq!(framer.advance(&message), Ok(Progress::Complete { bytes: 6 }));
/// ```
#[derive(Debug, Default)]
pub struct Framer {
    scan: Scan,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More bytes must follow.
    Partial {
        /// A lower bound of the message's length, from the lengths in its headers: if it is beyond a limit, the reader
        /// can stop.
        at_least: usize,
    },
    /// The message is complete.
    Complete {
        /// Its length; what follows it isn't part of it.
        bytes: usize,
    },
}

impl Framer {
    /// Continues where the last call stopped. `input` is everything received so far, from the message's first byte.
    ///
    /// # Errors
    ///
    /// The input can't be the start of a message: it isn't a map, is malformed or too deep, or has an indefinite
    /// string.
    pub fn advance(&mut self, input: &[u8]) -> Result<Progress, WireError> {
        const MAP: u8 = 5; // major type, the upper three bits: RFC 8949, section 3.1
        if input.first().is_some_and(|first| first >> 5 != MAP) {
            return Err(WireError::NotAMap);
        }
        self.scan.advance(input)
    }
}

/// The scan over one item of any kind.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Where the next header begins; beyond the end of the input inside a string.
    at: usize,
    /// The maps and arrays that are open, outermost first.
    open: [Open; NESTING_MAX],
    depth: usize,
    /// The last header was a tag, whose content must follow.
    is_tagged: bool,
    done: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum Open {
    /// No map or array: an unused slot.
    #[default]
    Free,
    /// The number of items still to come, one or more.
    Counted(usize),
    /// Items follow up to a break, which in a map is allowed only before a key.
    UntilBreak { is_map: bool, at_value: bool },
}

impl From<usize> for Scan {
    /// A scan that starts at offset `at`.
    fn from(at: usize) -> Self {
        Self { at, ..Self::default() }
    }
}

impl Scan {
    pub(crate) fn advance(&mut self, input: &[u8]) -> Result<Progress, WireError> {
        while !self.done && self.at <= input.len() {
            let at = self.at;
            let Some((header, next)) = read_header(input, at)? else { break };
            self.at = next;
            self.step(header, at)?;
        }
        if self.done && self.at <= input.len() {
            return Ok(Progress::Complete { bytes: self.at });
        }
        Ok(Progress::Partial { at_least: self.at_least(input.len()) })
    }

    fn step(&mut self, header: Header, at: usize) -> Result<(), WireError> {
        let was_tagged = std::mem::replace(&mut self.is_tagged, header == Header::Tag);
        match header {
            // RFC 8949, section 3.2.1: a break is no item, so no tag's content.
            Header::Break if was_tagged => return Err(WireError::Malformed { at }),
            Header::Bytes(bytes) | Header::Text(bytes) => {
                self.at = self.at.saturating_add(bytes);
                self.item_ends();
            }
            Header::Array(Some(0)) | Header::Map(Some(0)) => self.item_ends(),
            Header::Array(Some(items)) => self.enter(Open::Counted(items), at)?,
            Header::Map(Some(pairs)) => self.enter(Open::Counted(pairs.saturating_mul(2)), at)?,
            Header::Array(None) => self.enter(Open::UntilBreak { is_map: false, at_value: false }, at)?,
            Header::Map(None) => self.enter(Open::UntilBreak { is_map: true, at_value: false }, at)?,
            Header::Break => self.leave(at)?,
            Header::Tag => {}
            Header::Unsigned(_) | Header::Scalar => self.item_ends(),
        }
        Ok(())
    }

    fn enter(&mut self, open: Open, at: usize) -> Result<(), WireError> {
        let slot = self.open.get_mut(self.depth).ok_or(WireError::TooDeep { at, max: NESTING_MAX })?;
        *slot = open;
        self.depth += 1;
        Ok(())
    }

    /// A break ends the innermost map or array, if that has an indefinite length.
    fn leave(&mut self, at: usize) -> Result<(), WireError> {
        match self.innermost() {
            Some(Open::UntilBreak { at_value: false, .. }) => {
                self.depth -= 1;
                self.item_ends();
                Ok(())
            }
            _ => Err(WireError::Malformed { at }),
        }
    }

    /// An item is complete, and with it each map or array of which it was the last.
    fn item_ends(&mut self) {
        loop {
            match self.innermost() {
                None => {
                    self.done = true;
                    return;
                }
                Some(Open::Counted(left)) if *left > 1 => {
                    *left -= 1;
                    return;
                }
                Some(Open::UntilBreak { is_map, at_value }) => {
                    *at_value = *is_map && !*at_value;
                    return;
                }
                Some(Open::Counted(_) | Open::Free) => self.depth -= 1,
            }
        }
    }

    fn innermost(&mut self) -> Option<&mut Open> {
        self.depth.checked_sub(1).map(|innermost| &mut self.open[innermost])
    }

    /// Every item still announced takes a byte or more.
    fn at_least(&self, received: usize) -> usize {
        let announced = self.open[..self.depth].iter().map(|open| match open {
            Open::Counted(left) => *left,
            Open::Free | Open::UntilBreak { .. } => 1,
        });
        let lower_bound = announced.fold(self.at, usize::saturating_add);
        // Inside a header, or after a tag, at least one byte is missing.
        lower_bound.max(received.saturating_add(usize::from(self.at <= received)))
    }
}
