//! The folder of recorded requests: who may write to it, what its files are called, and how much it holds.

use std::cmp::Reverse;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

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
const FILE_MODE: u32 = 0o600;

/// A client's request id may have 128 characters. With a function's longest name, more than this would be too much for a
/// file's name (NAME_MAX, 255 bytes).
const REQUEST_ID_CHARS_MAX: usize = 100;

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
    /// Every user could plant requests in it, or remove them.
    #[error("`{}`, the folder for failed requests, is one that every user can write: `chmod o-w` it, or change --record-failures", path.display())]
    WritableByAll {
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
}

/// A file of the folder.
struct Recorded {
    path: PathBuf,
    bytes: u64,
    modified: SystemTime,
}

impl Folder {
    /// Makes the folder if it is missing.
    ///
    /// # Errors
    ///
    /// See [`FolderError`].
    pub(super) fn open(path: &Path, bounds: Bounds) -> Result<Self, FolderError> {
        let failed = |source| FolderError::NotMade { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(failed)?;
        let metadata = fs::metadata(path).map_err(failed)?;
        let (owner, host) = (metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != host && owner != 0 {
            return Err(FolderError::OtherOwner { path: path.to_owned(), owner, host });
        }
        if metadata.mode() & 0o002 != 0 {
            return Err(FolderError::WritableByAll { path: path.to_owned() });
        }
        Ok(Self { path: path.to_owned(), bounds, writing: Mutex::default() })
    }

    /// Where the request of a function, `<id>@<version>`, is recorded. The id may be the client's: what could lead out of
    /// the folder, or needs quotes in a shell, becomes `_`. A later request of the same id takes the place of an earlier
    /// one.
    pub(super) fn path_of(&self, function: &str, request_id: &str) -> PathBuf {
        let is_safe = |char: &char| char.is_ascii_alphanumeric() || "._-".contains(*char);
        let id = request_id.chars().map(|char| if is_safe(&char) { char } else { '_' });
        let id: String = id.take(REQUEST_ID_CHARS_MAX).collect();
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
        self.make_room(pieces.iter().map(|piece| piece.len() as u64).sum())?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(UNFINISHED).permissions(Permissions::from_mode(FILE_MODE));
        let mut file = builder.tempfile_in(&self.path)?;
        for piece in pieces {
            file.write_all(piece)?;
        }
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the oldest files until one more, of that many bytes, is within the bounds.
    fn make_room(&self, bytes: u64) -> Result<(), WriteError> {
        let Bounds { files: files_max, bytes: bytes_max } = self.bounds;
        let left = bytes_max.checked_sub(bytes).ok_or(WriteError::TooLarge { bytes, bytes_max })?;
        let mut files = self.files()?;
        files.sort_by_key(|file| Reverse(file.modified));
        let mut kept_bytes = 0_u64;
        for (newer, file) in files.into_iter().enumerate() {
            kept_bytes = kept_bytes.saturating_add(file.bytes);
            if newer + 1 >= files_max || kept_bytes > left {
                remove(&file.path)?;
            }
        }
        Ok(())
    }

    /// The files that a host has written; others are left alone, and those that an operator removes just now are left out.
    fn files(&self) -> io::Result<Vec<Recorded>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_recorded = name.to_str().is_some_and(|name| {
                (name.ends_with(RECORDED) && name.contains('@'))
                    || (name.starts_with('.') && name.ends_with(UNFINISHED))
            });
            let Some(metadata) = entry.metadata().ok().filter(|found| is_recorded && found.is_file()) else {
                continue;
            };
            let (bytes, modified) = (metadata.len(), metadata.modified()?);
            files.push(Recorded { path: entry.path(), bytes, modified });
        }
        Ok(files)
    }
}

/// Removes a file, unless an operator has.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::time::Duration;

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
        assert_eq!(name("../../etc/passwd"), "f@v1-.._.._etc_passwd.cbor");
        assert_eq!(name("a b;$(c)'\"*"), "f@v1-a_b___c____.cbor");
        let longest = folder.path_of(&format!("{0}@{0}", "x".repeat(64)), &"/".repeat(128));
        folder.write(&longest, &[b"request"]).unwrap();
        assert_eq!(fs::read(longest).unwrap(), b"request");
    }
}
