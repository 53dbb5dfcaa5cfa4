//! The folder of recorded requests: who may write to it, what its files are called, and how much it holds.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::ffi::{CString, OsStr};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A folder with a file for each recorded request.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    bounds: Bounds,
    /// Held while a file is written, so that the bounds hold.
    writing: Mutex<()>,
}

/// How much the folder holds. The oldest files are removed first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub files: usize,
    pub bytes: u64,
}

/// More files than a person looks through; and a function that keeps crashing must not fill the disk. A dozen of the
/// largest bodies fit, by the default of `limits.request_body_bytes`.
pub(super) const BOUNDS: Bounds = Bounds { files: 100, bytes: 128 << 20 };

/// Only the host's user reads what clients have sent.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A client's request id may have 128 characters. With a function's longest name, more than this would be too much for a
/// file's name (NAME_MAX, 255 bytes).
const REQUEST_ID_CHARS_MAX: usize = 100;

/// Stands before the digest of an id that doesn't stand in the name as it is. No id that does has it.
const DIGEST_MARK: char = '+';

/// So many bytes of the SHA-256 that two ids don't have the same ones by chance.
const DIGEST_BYTES: usize = 8;

/// The ends of the names of a recorded request and of one that is being written.
const RECORDED: &str = ".cbor";
const UNFINISHED: &str = ".part";

/// Why requests can't be recorded in a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It can't be made.
    #[error(
        "failed to make the folder `{}` for failed requests: let the host's user write there, or change --record-failures",
        path.display()
    )]
    NotMade {
        /// Where it was to be.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is none, or can't be read.
    #[error("failed to open `{}`, the folder for failed requests: let the host's user read and write it, or change --record-failures to a folder that is no symbolic link", path.display())]
    NotOpened {
        /// Where it is.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Its owner could read and change what is recorded.
    #[error("`{}`, the folder for failed requests, belongs to user {owner}, while the host runs as user {host}: give it to user {host}, or change --record-failures", path.display())]
    OtherOwner {
        /// Where it is.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// The host's effective user id.
        host: u32,
    },
    /// Other users could plant requests in it, or remove them.
    #[error("`{}`, the folder for failed requests, is one that other users can write: `chmod go-w` it, or change --record-failures", path.display())]
    WritableByOthers {
        /// Where it is.
        path: PathBuf,
    },
}

/// Why one request can't be recorded.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the request is {bytes} bytes, the limit of the folder is {bytes_max}")]
    TooLarge { bytes: u64, bytes_max: u64 },
    #[error("failed to write to the folder")]
    NotWritten(#[from] io::Error),
    /// It was replaced or removed since the host began.
    #[error(transparent)]
    NotTrusted(#[from] FolderError),
}

impl From<Errno> for WriteError {
    fn from(errno: Errno) -> Self {
        Self::NotWritten(errno.into())
    }
}

/// A file of the folder.
struct Recorded {
    name: CString,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Folder {
    /// Makes the folder if it is missing.
    ///
    /// # Errors
    ///
    /// See [`FolderError`].
    pub(super) fn open(path: &Path, bounds: Bounds) -> Result<Self, FolderError> {
        // Without a `/` at the end, by which a symbolic link would be followed.
        let path: PathBuf = path.components().collect();
        let failed = |source| FolderError::NotMade { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&path).map_err(failed)?;
        let folder = Self { path, bounds, writing: Mutex::default() };
        folder.descriptor()?;
        Ok(folder)
    }

    /// The folder that is there now, if it is still one that no other user can write. All of one write goes by the
    /// descriptor, so that what was checked is what is written to; the next write opens it again, since an operator may
    /// remove the folder and make another.
    fn descriptor(&self) -> Result<OwnedFd, FolderError> {
        let failed = |errno: Errno| FolderError::NotOpened { path: self.path.clone(), source: errno.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&self.path, flags, Mode::empty()).map_err(failed)?;
        let found = rustix::fs::fstat(&folder).map_err(failed)?;
        let (owner, host) = (found.st_uid, rustix::process::geteuid().as_raw());
        if owner != host && owner != 0 {
            return Err(FolderError::OtherOwner { path: self.path.clone(), owner, host });
        }
        if Mode::from_raw_mode(found.st_mode).intersects(Mode::WGRP | Mode::WOTH) {
            return Err(FolderError::WritableByOthers { path: self.path.clone() });
        }
        Ok(folder)
    }

    /// Where the request of a function, `<id>@<version>`, is recorded. The id may be the client's: what could lead out of
    /// the folder, or needs quotes in a shell, becomes `_`. An id that is changed or cut gets its digest appended, so that
    /// it stays apart from others. A later request of the same id takes the place of an earlier one.
    pub(super) fn path_of(&self, function: &str, request_id: &str) -> PathBuf {
        let is_safe = |char: &char| char.is_ascii_alphanumeric() || "._-".contains(*char);
        let id = request_id.chars().map(|char| if is_safe(&char) { char } else { '_' });
        let mut id: String = id.take(REQUEST_ID_CHARS_MAX).collect();
        if id != request_id {
            id.push(DIGEST_MARK);
            for byte in &Sha256::digest(request_id)[..DIGEST_BYTES] {
                write!(id, "{byte:02x}").expect("a String takes all that is written");
            }
        }
        self.path.join(format!("{function}-{id}{RECORDED}"))
    }

    /// Writes a file of the folder, in pieces, which appears when it is whole. Removes the oldest files first, if they are
    /// too many or too large together with it.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    pub(super) fn write(&self, path: &Path, pieces: &[&[u8]]) -> Result<(), WriteError> {
        // Nothing is kept in memory that a panic could leave halfway.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.descriptor()?;
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        let remove = |file: &Recorded| remove(&folder, file);
        make_room(self.bounds, bytes, || files(&folder), remove)?;
        let name = path.file_name().expect("`path_of` ends with a name");
        // Random, since another host may write to the same folder.
        let unfinished = format!(".{:016x}{UNFINISHED}", rand::random::<u64>());
        let written = write_as(&folder, &unfinished, name, pieces);
        if written.is_err() {
            // It isn't there if it couldn't be made; else the next writes count it, and remove it in its turn.
            rustix::fs::unlinkat(&folder, &unfinished, AtFlags::empty()).ok();
        }
        Ok(written?)
    }
}

/// Writes a file as `unfinished`, and then gives it its name.
fn write_as(folder: &OwnedFd, unfinished: &str, name: &OsStr, pieces: &[&[u8]]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(folder, unfinished, flags, FILE_MODE)?);
    pieces.iter().try_for_each(|piece| file.write_all(piece))?;
    Ok(rustix::fs::renameat(folder, unfinished, folder, name)?)
}

/// Removes the oldest files until one more, of that many bytes, is within the bounds. One that can't be removed is left,
/// and the next oldest goes in its place.
fn make_room(
    bounds: Bounds,
    bytes: u64,
    files: impl FnOnce() -> io::Result<Vec<Recorded>>,
    remove: impl Fn(&Recorded) -> io::Result<()>,
) -> Result<(), WriteError> {
    let bytes_max = bounds.bytes;
    let bytes_left = bytes_max.checked_sub(bytes).ok_or(WriteError::TooLarge { bytes, bytes_max })?;
    let mut files = files()?;
    files.sort_by_key(|file| file.modified);
    let mut kept = files.len();
    let mut kept_bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let mut first_error = None;
    for file in &files {
        if kept < bounds.files && kept_bytes <= bytes_left {
            return Ok(());
        }
        match remove(file) {
            Ok(()) => (kept, kept_bytes) = (kept - 1, kept_bytes - file.bytes),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        Some(error) if kept >= bounds.files || kept_bytes > bytes_left => Err(error.into()),
        _ => Ok(()),
    }
}

/// The files that a host has written; others are left alone, and those that an operator removes just now are left out.
fn files(folder: &OwnedFd) -> io::Result<Vec<Recorded>> {
    let mut files = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        let is_recorded = name.to_str().is_ok_and(|name| {
            (name.ends_with(RECORDED) && name.contains('@'))
                || (name.starts_with('.') && name.ends_with(UNFINISHED))
        });
        let found = is_recorded.then(|| rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW).ok());
        let is_file = |found: &Stat| FileType::from_raw_mode(found.st_mode).is_file();
        let Some(found) = found.flatten().filter(is_file) else { continue };
        let modified = (found.st_mtime, found.st_mtime_nsec as i64);
        files.push(Recorded { name, bytes: found.st_size as u64, modified });
    }
    Ok(files)
}

/// Removes a file, unless an operator has.
fn remove(folder: &OwnedFd, file: &Recorded) -> io::Result<()> {
    match rustix::fs::unlinkat(folder, &file.name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, SystemTime};

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Records a request of so many bytes, `age_s` seconds ago.
    fn record(folder: &Folder, id: &str, bytes: usize, age_s: u64) {
        let path = folder.path_of("f@v1", id);
        folder.write(&path, &[&vec![0; bytes]]).unwrap();
        let then = SystemTime::now() - Duration::from_secs(age_s);
        fs::File::open(&path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn the_newest_files_are_kept_up_to_both_bounds() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path(), Bounds { files: 3, bytes: 100 }).unwrap();
        fs::write(parent.path().join("mine.cbor"), [0; 500]).unwrap();
        for (id, age_s) in [("a", 40), ("c", 20), ("b", 30), ("d", 10)] {
            record(&folder, id, 10, age_s);
        }
        let expected = |ids: &[&str]| {
            let recorded = ids.iter().map(|id| format!("f@v1-{id}.cbor"));
            recorded.chain(["mine.cbor".to_owned()]).collect::<BTreeSet<_>>()
        };
        assert_eq!(names(parent.path()), expected(&["b", "c", "d"]));
        record(&folder, "e", 85, 5);
        assert_eq!(names(parent.path()), expected(&["d", "e"]));
        let error = folder.write(&folder.path_of("f@v1", "g"), &[&[0; 101]]).unwrap_err();
        assert_eq!(error.to_string(), "the request is 101 bytes, the limit of the folder is 100");
        assert_eq!(names(parent.path()), expected(&["d", "e"]), "nothing is removed in vain");
    }

    #[test]
    fn a_clients_request_id_leads_to_no_other_folder_and_no_long_name() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path(), BOUNDS).unwrap();
        let name = |id: &str| {
            let path = folder.path_of("f@v1", id);
            assert_eq!(path.parent(), Some(parent.path()));
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(name("../../etc/passwd"), "f@v1-.._.._etc_passwd+3754d6cb3a38e118.cbor");
        assert!(name("a b;$(c)'\"*").starts_with("f@v1-a_b___c____+"));
        let longest = folder.path_of(&format!("{0}@{0}", "x".repeat(64)), &"/".repeat(128));
        folder.write(&longest, &[b"request"]).unwrap();
        assert_eq!(fs::read(longest).unwrap(), b"request");
    }

    #[test]
    fn different_request_ids_have_different_files() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::open(parent.path(), BOUNDS).unwrap();
        let long = "x".repeat(REQUEST_ID_CHARS_MAX);
        let ids = ["a_b", "a/b", "a b", &long, &format!("{long}1"), &format!("{long}2")];
        let paths: BTreeSet<_> = ids.iter().map(|id| folder.path_of("f@v1", id)).collect();
        assert_eq!(paths.len(), ids.len(), "{paths:?}");
        assert!(paths.contains(&parent.path().join("f@v1-a_b.cbor")));
    }

    #[test]
    fn a_file_that_cant_be_removed_leaves_the_next_oldest_to_go() {
        let file = |age: i64| Recorded { name: CString::default(), bytes: 10, modified: (-age, 0) };
        let removed = std::cell::RefCell::new(Vec::new());
        let remove = |file: &Recorded| {
            let age = -file.modified.0;
            removed.borrow_mut().push(age);
            if age == 3 { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
        };
        let room = |files: usize, bytes: u64| {
            make_room(Bounds { files, bytes }, 10, || Ok([1, 3, 2].map(file).into()), remove)
        };
        room(3, 100).unwrap();
        room(9, 30).unwrap();
        assert_eq!(removed.take(), [3, 2, 3, 2]);
        let error = room(9, 10).unwrap_err();
        assert!(matches!(error, WriteError::NotWritten(_)), "{error}");
    }

    #[test]
    fn a_folder_that_is_replaced_by_one_of_others_is_written_no_more() {
        let parent = tempfile::tempdir().unwrap();
        let (path, other) = (parent.path().join("failures"), parent.path().join("other"));
        let folder = Folder::open(&path, BOUNDS).unwrap();
        let write = || folder.write(&folder.path_of("f@v1", "a"), &[b"request"]);
        write().unwrap();
        fs::rename(&path, &other).unwrap();
        symlink(&other, &path).unwrap();
        for refused in [&path, &path.join("")] {
            let error = Folder::open(refused, BOUNDS).unwrap_err();
            assert!(error.to_string().contains("no symbolic link"), "{error}");
        }
        assert!(write().unwrap_err().to_string().contains("no symbolic link"));
        fs::remove_file(&path).unwrap();
        fs::rename(&other, &path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o720)).unwrap();
        assert!(write().unwrap_err().to_string().contains("`chmod go-w` it"));
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        write().unwrap();
    }
}
