//! Writes what a snapshot holds back into its process. By its file in /proc, which stays that process's: by its number,
//! as process_vm_writev(2) does it, would be faster, but the number could by then be another process's.

use crate::process::Files;
use crate::snapshot::{Content, Snapshot, ZEROS};
use crate::tracker::Region;
use std::io::{self, IoSlice};

/// The kernel takes no more pieces in one call (`UIO_MAXIOV`).
const PIECES_MAX: usize = 1024;

/// It writes no more than 2 GiB in one call (write(2), NOTES).
const BYTES_MAX: u64 = 1 << 30;

/// Adjacent pieces, which one call writes.
#[derive(Default)]
struct Run<'a> {
    start: u64,
    end: u64,
    pieces: Vec<IoSlice<'a>>,
}

/// Writes the contents of all pages in `regions`.
///
/// # Errors
///
/// The kernel's, with the address.
pub(crate) fn write_back(
    snapshot: &Snapshot,
    regions: &[Region],
    files: &Files,
) -> Result<(), (u64, io::Error)> {
    let mut run = Run::default();
    for region in regions {
        let mut rest = region.range();
        while !rest.is_empty() {
            let (bytes, length) = match snapshot.content(&rest) {
                Content::Bytes(bytes) => (bytes, bytes.len() as u64),
                // A page that was only read needs no memory for its zeros.
                Content::Zeros(length) if region.is_zero() => (&[][..], length),
                Content::Zeros(length) => {
                    let bytes = &ZEROS[..ZEROS.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
                    (bytes, bytes.len() as u64)
                }
            };
            run.push(rest.start, bytes, files)?;
            rest.start += length;
        }
    }
    run.flush(files)
}

impl<'a> Run<'a> {
    fn push(&mut self, address: u64, bytes: &'a [u8], files: &Files) -> Result<(), (u64, io::Error)> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.end != address || self.pieces.len() == PIECES_MAX || self.end - self.start > BYTES_MAX {
            self.flush(files)?;
            self.start = address;
        }
        self.end = address + bytes.len() as u64;
        self.pieces.push(IoSlice::new(bytes));
        Ok(())
    }

    fn flush(&mut self, files: &Files) -> Result<(), (u64, io::Error)> {
        let written = match self.pieces.is_empty() {
            true => Ok(()),
            false => files.write_all(self.start, &self.pieces).map_err(|source| (self.start, source)),
        };
        self.pieces.clear();
        written
    }
}
