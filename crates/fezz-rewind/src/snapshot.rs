//! The memory of one process at one moment: of each page that it may write, what was in it.

use crate::PAGE_BYTES;
use crate::pages::{Known, Pages};
use crate::process::Files;
use crate::tracker::{self, Region};
use std::collections::TryReserveError;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// How much is read at once: a second copy of a large process's memory would exceed the host's.
const CHUNK_BYTES: usize = 256 * 1024;

/// A smaller range is scanned together with what is around it: two more system calls would take longer.
const DENSE_BYTES_MIN: u64 = 8 << 20;

/// What a process's writable memory held. A page that no one had written takes no space, nor does one with the same
/// contents as in the first snapshot of the same zygote's children.
#[derive(Debug)]
pub struct Snapshot {
    /// Ascending and disjoint.
    areas: Vec<Area>,
    /// Large parts of them in which all pages were populated.
    dense: Vec<Range<u64>>,
    /// What the first snapshot held: of all pages that aren't zeros.
    base: Arc<Pages>,
    /// What differs from it.
    own: Pages,
}

/// One writable private mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether a file fills its pages when they are read first, rather than zeros.
    pub has_file: bool,
}

/// A snapshot couldn't be taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It would take too much of the host's memory.
    #[error("the process has written {bytes} bytes of memory, the limit is {bytes_max}")]
    TooLarge {
        /// What it has in memory that it may write.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Memory that is mapped and can't be read, as that behind the end of a file.
    #[error("failed to read the process's memory at {address:#x}")]
    Unreadable {
        /// Where.
        address: u64,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The pagemap can't be scanned.
    #[error("failed to find the populated pages of the process")]
    Scan(#[source] io::Error),
    /// The host has no memory.
    #[error("failed to allocate memory for the snapshot")]
    Memory(#[from] TryReserveError),
}

/// What a snapshot says of the pages from some address on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// So many bytes of 0.
    Zeros(u64),
}

/// A part of an area.
pub(crate) struct Extent {
    pub(crate) range: Range<u64>,
    /// If not, all its pages are zeros.
    pub(crate) is_populated: bool,
}

impl Snapshot {
    /// Reads the memory of a parked process. `areas` ascend and are disjoint. If there is no `base`, this is the first
    /// snapshot, and becomes the base of others.
    ///
    /// # Errors
    ///
    /// See [`SnapshotError`]; too large is what has more than `bytes_max` bytes in populated pages.
    pub fn take(
        files: &Files,
        areas: Vec<Area>,
        base: Option<&Arc<Pages>>,
        bytes_max: u64,
    ) -> Result<Self, SnapshotError> {
        let mut extents = Vec::new();
        for area in &areas {
            area.extents(files, &mut extents).map_err(SnapshotError::Scan)?;
        }
        let populated = extents.iter().filter(|extent| extent.is_populated);
        let bytes = populated.map(|extent| extent.range.end - extent.range.start).sum();
        if bytes > bytes_max {
            return Err(SnapshotError::TooLarge { bytes, bytes_max });
        }
        let dense =
            extents.iter().filter(|extent| extent.is_dense()).map(|extent| extent.range.clone()).collect();
        let mut snapshot =
            Self { areas, dense, base: base.map(Arc::clone).unwrap_or_default(), own: Pages::default() };
        if base.is_none() {
            snapshot.own.reserve(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        }
        snapshot.fill(files, &extents)?;
        if base.is_none() {
            snapshot.base = Arc::new(std::mem::take(&mut snapshot.own));
        }
        Ok(snapshot)
    }

    /// What later snapshots share.
    pub fn base(&self) -> &Arc<Pages> {
        &self.base
    }

    /// How many bytes of memory this snapshot takes beside its base.
    pub fn own_bytes(&self) -> usize {
        self.own.bytes()
    }

    /// What it covers.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// Large ranges in which all pages were populated, ascending.
    pub(crate) fn dense(&self) -> &[Range<u64>] {
        &self.dense
    }

    /// Whether it covers all of a range, which may extend over adjacent areas.
    pub(crate) fn covers(&self, range: &Range<u64>) -> bool {
        let first = self.areas.partition_point(|area| area.range.end <= range.start);
        let mut covered = range.start;
        for Area { range: Range { start, end }, .. } in &self.areas[first..] {
            if *start > covered || covered >= range.end {
                break;
            }
            covered = *end;
        }
        covered >= range.end
    }

    /// What was in the pages from `range.start` on, no further than `range.end`.
    pub(crate) fn content(&self, range: &Range<u64>) -> Content<'_> {
        let zeros = |end: u64| Content::Zeros(end - range.start);
        match self.own.at(range) {
            Known::Bytes(bytes) => Content::Bytes(bytes),
            Known::Zeros(end) => zeros(end),
            Known::Nothing(end) => match self.base.at(&(range.start..end)) {
                Known::Bytes(bytes) => Content::Bytes(bytes),
                Known::Zeros(end) | Known::Nothing(end) => zeros(end),
            },
        }
    }

    fn fill(&mut self, files: &Files, extents: &[Extent]) -> Result<(), SnapshotError> {
        let mut buffer = Vec::new();
        for extent in extents {
            if extent.is_populated {
                for range in chunks(&extent.range) {
                    let chunk = read(files, &range, &mut buffer)
                        .map_err(|source| SnapshotError::Unreadable { address: range.start, source })?;
                    self.record(range.start, chunk)?;
                }
            } else {
                self.record_zeros(&extent.range)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, start: u64, chunk: &[u8]) -> Result<(), TryReserveError> {
        for (page, start) in chunk.chunks(PAGE_BYTES).zip((start..).step_by(PAGE_BYTES)) {
            let range = start..start + page.len() as u64;
            if is_zero(page) {
                self.record_zeros(&range)?;
            } else if self.base.at(&range) != Known::Bytes(page) {
                self.own.push(start, page)?;
            }
        }
        Ok(())
    }

    /// Zeros need no record but where the base has something else.
    fn record_zeros(&mut self, range: &Range<u64>) -> Result<(), TryReserveError> {
        let mut rest = range.clone();
        while !rest.is_empty() {
            let end = match self.base.at(&rest) {
                Known::Bytes(bytes) => {
                    let end = rest.start + bytes.len() as u64;
                    self.own.push_zeros(&(rest.start..end))?;
                    end
                }
                Known::Zeros(end) | Known::Nothing(end) => end,
            };
            rest.start = end;
        }
        Ok(())
    }
}

impl Extent {
    fn is_dense(&self) -> bool {
        self.is_populated && self.range.end - self.range.start >= DENSE_BYTES_MIN
    }
}

impl Area {
    /// Adds the populated parts of this area, and those between.
    pub(crate) fn extents(&self, files: &Files, out: &mut Vec<Extent>) -> io::Result<()> {
        if self.has_file {
            // What isn't populated isn't zeros.
            out.push(Extent { range: self.range.clone(), is_populated: true });
            return Ok(());
        }
        let mut regions = Vec::new();
        tracker::populated(files.pagemap(), &self.range, &mut regions)?;
        let mut start = self.range.start;
        let end = Region::at_end(self.range.end);
        for region in regions.into_iter().chain([end]) {
            if start < region.start {
                out.push(Extent { range: start..region.start, is_populated: false });
            }
            if !region.range().is_empty() {
                out.push(Extent { range: region.range(), is_populated: true });
            }
            start = region.end;
        }
        Ok(())
    }
}

/// A range in parts that are small enough to be read at once.
pub(crate) fn chunks(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    range.clone().step_by(CHUNK_BYTES).map(move |start| start..end.min(start + CHUNK_BYTES as u64))
}

/// The memory of a process at the addresses of one chunk.
pub(crate) fn read<'a>(files: &Files, range: &Range<u64>, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    buffer.resize(CHUNK_BYTES, 0);
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(CHUNK_BYTES);
    files.read(range.start, &mut buffer[..length])?;
    Ok(&buffer[..length])
}

/// Whether there is nothing but 0.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| *chunk == ZEROS[..chunk.len()])
}

/// What pages of zeros are restored from, many at once.
pub(crate) static ZEROS: [u8; 16 * PAGE_BYTES] = [0; 16 * PAGE_BYTES];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_covered_only_if_no_part_of_it_is_outside() {
        let areas = [0x1000..0x3000, 0x3000..0x4000, 0x6000..0x7000];
        let areas = areas.map(|range| Area { range, has_file: false }).to_vec();
        let snapshot = Snapshot { areas, dense: Vec::new(), base: Arc::default(), own: Pages::default() };
        assert!(snapshot.covers(&(0x1000..0x4000)));
        assert!(snapshot.covers(&(0x2000..0x3000)));
        for range in [0x0..0x1000, 0x0..0x2000, 0x3000..0x5000, 0x3000..0x7000, 0x7000..0x8000] {
            assert!(!snapshot.covers(&range), "{range:?}");
        }
    }
}
