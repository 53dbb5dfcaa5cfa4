//! Checks a wrapper's scratch: that it exists, isn't too large, and belongs to this request alone. A shared one would
//! carry data from one function to another.
//!
//! A file system that was made after the host began to start this process was made for it. No other criterion is
//! reliable: a shared one may be empty, or differ from the host's own `/tmp`; and a new one may hold files of the
//! wrapper, such as the folders above the module.

use super::view;
use rustix::fs::{AtFlags, CWD, StatxFlags, statfs, statx};
use rustix::io::Errno;

/// Why the scratch can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The wrapper gives none, or a larger one.
    #[error(
        "the scratch isn't there: let the wrapper mount a tmpfs of at most {bytes} bytes (--scratch-bytes) on {}; without \
         a wrapper only --jail strict makes one",
        view::SCRATCH
    )]
    Missing {
        /// The most that it may hold.
        bytes: u64,
    },
    /// It is older than this process: other requests may use it.
    #[error(
        "the tmpfs on {} was there before this request, so that requests could share data through it: let the wrapper \
         mount a new tmpfs for each request; without a wrapper only --jail strict makes one",
        view::SCRATCH
    )]
    Shared,
    /// The time at which the process was started is missing.
    #[error("can't check that the wrapper's scratch is new: pass --scratch-since, as hhrf does")]
    NoTime,
    /// The kernel doesn't record when a tmpfs was made.
    #[error(
        "the kernel doesn't record when the tmpfs on {} was made: use Linux 5.18 or later, or --jail strict",
        view::SCRATCH
    )]
    NoBirth,
    /// statx(2) failed.
    #[error("failed to read when the tmpfs on {} was made", view::SCRATCH)]
    Birth(#[source] Errno),
}

/// Checks that a wrapper gave a scratch of at most `bytes`, and made it at `since_ns` or later.
///
/// # Errors
///
/// See [`ScratchError`].
pub(super) fn check(bytes: u64, since_ns: Option<u64>) -> Result<(), ScratchError> {
    let found = statfs(view::SCRATCH).map_err(|_| ScratchError::Missing { bytes })?;
    let size = found.f_blocks.saturating_mul(found.f_bsize.cast_unsigned());
    // A tmpfs has whole pages (tmpfs(5)).
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX);
    if found.f_type != libc::TMPFS_MAGIC || size > bytes.next_multiple_of(page) {
        return Err(ScratchError::Missing { bytes });
    }
    let since_ns = since_ns.ok_or(ScratchError::NoTime)?;
    if born_ns()? < since_ns { Err(ScratchError::Shared) } else { Ok(()) }
}

/// When the root folder of the file system was made, by the kernel's clock for file times.
fn born_ns() -> Result<u64, ScratchError> {
    const NANOSECONDS: u64 = 1_000_000_000;
    let found =
        statx(CWD, view::SCRATCH, AtFlags::empty(), StatxFlags::BTIME).map_err(ScratchError::Birth)?;
    if found.stx_mask & StatxFlags::BTIME.bits() == 0 {
        return Err(ScratchError::NoBirth);
    }
    let seconds = u64::try_from(found.stx_btime.tv_sec).unwrap_or_default();
    Ok(seconds.saturating_mul(NANOSECONDS).saturating_add(found.stx_btime.tv_nsec.into()))
}
