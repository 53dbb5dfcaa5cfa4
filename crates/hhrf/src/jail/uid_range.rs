//! A range of uids that no other host on this machine gives to its functions.
//!
//! A host that is root locks its range by files in a folder that is root's alone, by flock(2): the lock goes with the
//! host, however it ends, and another user can't take it. A file, unlike an abstract socket, is shared between network
//! namespaces. A host with another `/run`, for example in another container, isn't seen: there the operator gives each
//! host a range by `--uid-base`.

use crate::settings::{UID_BASE_FIRST as FIRST, UIDS};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// Where the locks lie, on every Linux system a file system that a restart empties.
const FOLDER: &str = "/run/fezz";

/// The last of those that systemd leaves unused (systemd's `UIDS-GIDS`).
const LAST: u32 = 0x7fff_ffff;

/// A range that belongs to this host while it is held.
#[derive(Debug)]
pub(super) struct UidRange {
    base: u32,
    /// One for each aligned range that it overlaps.
    _locks: Vec<File>,
}

/// Why no range can be taken.
#[derive(Debug, thiserror::Error)]
pub enum UidRangeError {
    /// Another host has it.
    #[error(
        "the uids from {base} on can't be given to functions, since another host has them: leave out --uid-base, or \
         choose one that is {UIDS} uids away"
    )]
    Taken { base: u32 },
    /// Other hosts have all of them.
    #[error(
        "all {} ranges of uids from {FIRST} to {LAST} are taken by other hosts (`{FOLDER}`): stop some, or set \
         --uid-base to uids outside",
        (LAST - FIRST) / UIDS + 1
    )]
    AllTaken,
    /// This host is root of a user namespace that has no other user.
    #[error(
        "modules can't be confined here (--jail): this root is the only user of its user namespace, as behind `unshare -r`: \
         start hhrf without it, as the user that you are"
    )]
    OneUser,
    /// The uids aren't mapped.
    #[error(
        "the uids from {base} on aren't mapped in this user namespace (/proc/self/uid_map): set --uid-base to the first of \
         {UIDS} that are"
    )]
    NotMapped { base: u32 },
    /// The lock can't be made.
    #[error(
        "failed to lock a range of uids in `{FOLDER}`: let root write in /run (RuntimeDirectory=fezz and \
         RuntimeDirectoryPreserve=yes in systemd, a tmpfs in a container), or set --uid-base to uids that no other \
         host has"
    )]
    NoLock(#[source] io::Error),
    /// The folder isn't root's alone: others could take or replace locks.
    #[error("`{FOLDER}`, where ranges of uids are locked, {0}")]
    Folder(&'static str),
}

impl UidRange {
    /// Takes the range that begins with `base`; without one, the first that is free.
    ///
    /// # Errors
    ///
    /// See [`UidRangeError`]. If root can't write in `/run`, a `base` is taken without a lock, with a warning in the
    /// log: then the operator must make sure that no other host has it.
    pub(super) fn take(base: Option<u32>) -> Result<Self, UidRangeError> {
        check_mapped(base.unwrap_or(FIRST))?;
        let folder = Path::new(FOLDER);
        let ready = prepare(folder);
        let Some(base) = base else {
            ready?;
            return take_free(folder, FIRST);
        };
        match ready.and_then(|()| lock_all(folder, base)) {
            Ok(Some(locks)) => Ok(Self { base, _locks: locks }),
            Ok(None) => Err(UidRangeError::Taken { base }),
            Err(UidRangeError::NoLock(error)) => {
                tracing::warn!(%error, base, "failed to lock the uids in {FOLDER}: make sure that no other host has them");
                Ok(Self { base, _locks: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }

    /// The first uid of them.
    pub(super) fn base(&self) -> u32 {
        self.base
    }
}

/// Checks that the uids from `base` on exist in this user namespace (user_namespaces(7)).
fn check_mapped(base: u32) -> Result<(), UidRangeError> {
    // Without /proc, the runner's trial reports what fails.
    let Ok(map) = fs::read_to_string("/proc/self/uid_map") else { return Ok(()) };
    let ranges = || map.lines().filter_map(mapped_range);
    if ranges().all(|range| range == (0..1)) {
        return Err(UidRangeError::OneUser);
    }
    let (first, last) = (u64::from(base), u64::from(base) + u64::from(UIDS) - 1);
    let is_mapped = ranges().any(|range| range.contains(&first) && range.contains(&last));
    if is_mapped { Ok(()) } else { Err(UidRangeError::NotMapped { base }) }
}

/// Parses a line: the first uid inside, the first outside, and their number. Returns those inside.
fn mapped_range(line: &str) -> Option<Range<u64>> {
    let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().ok());
    let (first, _outside, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some(first..first + count)
}

/// The first free range from `first` on.
fn take_free(folder: &Path, first: u32) -> Result<UidRange, UidRangeError> {
    for base in (first..=LAST).step_by(UIDS as usize) {
        if let Some(locks) = lock_all(folder, base)? {
            return Ok(UidRange { base, _locks: locks });
        }
    }
    Err(UidRangeError::AllTaken)
}

/// Makes the folder, or checks that it is root's alone.
fn prepare(folder: &Path) -> Result<(), UidRangeError> {
    let made = DirBuilder::new().mode(0o700).create(folder);
    if let Err(error) = made
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(UidRangeError::NoLock(error));
    }
    let found = fs::symlink_metadata(folder).map_err(UidRangeError::NoLock)?;
    if !found.is_dir() {
        return Err(UidRangeError::Folder("is no folder: remove it"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(UidRangeError::Folder("belongs to another user: `chown root` it"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(UidRangeError::Folder("can be written by others: `chmod 700` it"));
    }
    Ok(())
}

/// Locks the one or two aligned ranges that the uids from `base` on overlap; `None` if another host has one.
fn lock_all(folder: &Path, base: u32) -> Result<Option<Vec<File>>, UidRangeError> {
    let (first, last) = (base / UIDS, base.div_ceil(UIDS));
    let files = (first..=last).map(|index| lock(&folder.join(format!("uids-{}", index * UIDS))));
    files.collect::<io::Result<Option<Vec<File>>>>().map_err(UidRangeError::NoLock)
}

/// Locks one file; `None` if another process has locked it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    const TRIES: usize = 8; // A try fails if another process removes the file between two calls.
    for _ in 0..TRIES {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        // 0600: every user who can open it could lock it.
        let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let locked = file.metadata()?;
        let is_still_there = |found: fs::Metadata| (found.dev(), found.ino()) == (locked.dev(), locked.ino());
        if fs::symlink_metadata(path).is_ok_and(is_still_there) {
            return Ok(Some(file));
        }
    }
    Err(Errno::AGAIN.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_free(folder: &Path, base: u32) -> bool {
        lock_all(folder, base).unwrap().is_some()
    }

    #[test]
    fn a_range_excludes_all_that_it_has_a_uid_in_common_with_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let range = lock_all(folder, 10 * UIDS + 1).unwrap();
        let free = [9, 10, 11, 12].map(|index| is_free(folder, index * UIDS));
        assert_eq!(free, [true, false, false, true]);
        // A removed file is no lock any more: the next host makes another.
        fs::remove_file(folder.join(format!("uids-{}", 10 * UIDS))).unwrap();
        assert!(is_free(folder, 10 * UIDS) && !is_free(folder, 11 * UIDS));
        drop(range);
        assert!(is_free(folder, 11 * UIDS));
    }

    #[test]
    fn a_line_of_the_map_is_a_range_of_uids() {
        assert_eq!(mapped_range("         0     100000      65536"), Some(0..65536));
        assert_eq!(mapped_range("0 0"), None);
    }

    #[test]
    fn every_range_of_the_default_is_given_once_and_then_it_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        // Few ranges, so that the test needs few descriptors.
        let last = LAST - 4 * UIDS + 1;
        let taken: Vec<UidRange> = (0..4).map(|_| take_free(folder.path(), last).unwrap()).collect();
        assert_eq!(taken.iter().map(|range| (range.base() - last) / UIDS).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(matches!(take_free(folder.path(), last), Err(UidRangeError::AllTaken)));
    }
}
