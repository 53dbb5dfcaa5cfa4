//! Reads files that only the host's user or root can write, and checks the same for folders.

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a file isn't read, or a folder isn't trusted. Begins with its name, ends with the fix.
#[derive(Debug, thiserror::Error)]
pub(super) enum OwnedFileError {
    #[error("`{}`, which doesn't exist: put the file there", path.display())]
    Missing { path: PathBuf },
    /// It is a link, whose target may change at any time.
    #[error("`{}`, which is a link: put the file itself there", path.display())]
    Link { path: PathBuf },
    /// It is a folder, a device, a pipe.
    #[error("`{}`, which is no regular file: put a file there", path.display())]
    NotRegular { path: PathBuf },
    #[error("`{}`, which belongs to user {owner}, while the host runs as user {host}: give it to user {host} or root", path.display())]
    OtherOwner {
        path: PathBuf,
        owner: u32,
        /// The host's effective user id.
        host: u32,
    },
    /// Every user could change it.
    #[error("`{}`, which every user can write: `chmod o-w` it", path.display())]
    WritableByAll { path: PathBuf },
    #[error("`{}`, which can't be read ({source}): let the host's user read it", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{}`, which is {bytes} bytes, while the limit is {bytes_max}: make it smaller", path.display())]
    TooLarge { path: PathBuf, bytes: u64, bytes_max: u64 },
}

/// Reads a regular file that this user or root owns. It is opened without following a link and checked by its
/// descriptor, so that it can't be replaced in between.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<(Vec<u8>, Metadata), OwnedFileError> {
    let path = path.to_owned();
    // NONBLOCK: opening a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mut file = match rustix::fs::open(&path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Err(OwnedFileError::Missing { path }),
        Err(Errno::LOOP) => return Err(OwnedFileError::Link { path }),
        Err(errno) => return Err(OwnedFileError::Unreadable { path, source: errno.into() }),
    };
    let metadata = match file.metadata() {
        Ok(metadata) => metadata,
        Err(source) => return Err(OwnedFileError::Unreadable { path, source }),
    };
    if !metadata.is_file() {
        return Err(OwnedFileError::NotRegular { path });
    }
    check(&path, &metadata)?;
    if metadata.len() > bytes_max {
        return Err(OwnedFileError::TooLarge { path, bytes: metadata.len(), bytes_max });
    }
    let mut bytes = Vec::new();
    match file.by_ref().take(bytes_max).read_to_end(&mut bytes) {
        Ok(_) => Ok((bytes, metadata)),
        Err(source) => Err(OwnedFileError::Unreadable { path, source }),
    }
}

/// Checks that only this user and root can remove, rename and replace the files in a folder. A link to it is followed.
/// The sticky bit doesn't help: every user could still add files. A group may write, since a umask of 002 gives that
/// right to each user's own group.
pub(super) fn check_folder(path: &Path) -> Result<(), OwnedFileError> {
    match std::fs::metadata(path) {
        Ok(metadata) => check(path, &metadata),
        Err(source) => Err(OwnedFileError::Unreadable { path: path.to_owned(), source }),
    }
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), OwnedFileError> {
    let (owner, host) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != host && owner != 0 {
        return Err(OwnedFileError::OtherOwner { path: path.to_owned(), owner, host });
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(OwnedFileError::WritableByAll { path: path.to_owned() });
    }
    Ok(())
}
