//! Contents of pages by address, without those that aren't known.

use std::collections::TryReserveError;
use std::ops::Range;

/// What is known of some pages of a process: their contents, or that they are all zeros.
#[derive(Debug, Default)]
pub struct Pages {
    /// Ascending and disjoint.
    runs: Vec<Run>,
    bytes: Vec<u8>,
}

/// Consecutive pages.
#[derive(Debug)]
struct Run {
    start: u64,
    end: u64,
    /// Where in the bytes they are; `None` if they are all zeros.
    offset: Option<usize>,
}

/// What is known from some address on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Zeros up to an address.
    Zeros(u64),
    /// Nothing up to an address.
    Nothing(u64),
}

impl Pages {
    /// How many bytes of memory the contents take.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room for so many bytes of contents.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), TryReserveError> {
        self.bytes.try_reserve_exact(bytes)
    }

    /// Adds the contents from address `start` on, which must be higher than all so far.
    pub(crate) fn push(&mut self, start: u64, contents: &[u8]) -> Result<(), TryReserveError> {
        let offset = self.bytes.len();
        self.bytes.try_reserve(contents.len())?;
        self.bytes.extend_from_slice(contents);
        let end = start + contents.len() as u64;
        match self.runs.last_mut() {
            // Contents are stored in the order of their addresses, so a run that continues there continues here.
            Some(last) if last.end == start && last.offset.is_some() => last.end = end,
            _ => self.push_run(Run { start, end, offset: Some(offset) })?,
        }
        Ok(())
    }

    /// Adds zeros at addresses that must be higher than all so far.
    pub(crate) fn push_zeros(&mut self, range: &Range<u64>) -> Result<(), TryReserveError> {
        match self.runs.last_mut() {
            Some(last) if last.end == range.start && last.offset.is_none() => last.end = range.end,
            _ => self.push_run(Run { start: range.start, end: range.end, offset: None })?,
        }
        Ok(())
    }

    /// What is known from `range.start` on, no further than `range.end`.
    pub(crate) fn at(&self, range: &Range<u64>) -> Known<'_> {
        let next = self.runs.partition_point(|run| run.end <= range.start);
        let Some(run) = self.runs.get(next) else { return Known::Nothing(range.end) };
        if run.start > range.start {
            return Known::Nothing(run.start.min(range.end));
        }
        let end = run.end.min(range.end);
        match run.offset {
            Some(offset) => {
                Known::Bytes(&self.bytes[run.within(offset, range.start)..run.within(offset, end)])
            }
            None => Known::Zeros(end),
        }
    }

    fn push_run(&mut self, run: Run) -> Result<(), TryReserveError> {
        debug_assert!(self.runs.last().is_none_or(|last| last.end <= run.start), "runs ascend");
        self.runs.try_reserve(1)?;
        self.runs.push(run);
        Ok(())
    }
}

impl Run {
    /// Where an address of this run is in the bytes. They are in memory, so the distance fits a usize.
    #[expect(clippy::cast_possible_truncation, reason = "as it says")]
    fn within(&self, offset: usize, address: u64) -> usize {
        offset + (address - self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_found_up_to_the_end_of_what_is_known() {
        let mut pages = Pages::default();
        pages.push(0x1000, &[1; 0x1000]).unwrap();
        pages.push(0x2000, &[2; 0x1000]).unwrap();
        pages.push_zeros(&(0x3000..0x4000)).unwrap();
        pages.push(0x6000, &[6; 0x1000]).unwrap();
        let expected = [vec![1; 0x800], vec![2; 0x800]].concat();
        assert_eq!(pages.at(&(0x1800..0x2800)), Known::Bytes(&expected));
        assert_eq!(pages.at(&(0x3000..0x9000)), Known::Zeros(0x4000));
        assert_eq!(pages.at(&(0x4000..0x9000)), Known::Nothing(0x6000));
        assert_eq!(pages.at(&(0x0..0x800)), Known::Nothing(0x800));
        assert_eq!(pages.at(&(0x7000..0x9000)), Known::Nothing(0x9000));
        assert_eq!(pages.bytes(), 0x3000);
    }
}
