//! Reads files that only the host's user or root can write, and checks the same for folders.

use rustix::fs::{Mode, OFlags, ResolveFlags, StatVfsMountFlags};
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
    /// It is a link to a file that isn't in its folder.
    #[error("`{}`, which is a link that leads out of its folder: put the file itself there", path.display())]
    LinkOut { path: PathBuf },
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
    match rustix::fs::open(path, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(file) => read_open(file.into(), path, bytes_max),
        Err(errno) => Err(not_opened(path, errno)),
    }
}

/// The same for a file in `folder`, which only this user or root may change. A link is followed if it leads to a file in
/// the folder: Kubernetes mounts secrets so, to replace them all at once.
pub(super) fn read_within(folder: &Path, name: &str, bytes_max: u64) -> Result<Vec<u8>, OwnedFileError> {
    let opened = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let opened = File::from(opened.map_err(|errno| not_opened(folder, errno))?);
    let metadata = opened.metadata();
    let metadata =
        metadata.map_err(|source| OwnedFileError::Unreadable { path: folder.to_owned(), source })?;
    // Kubernetes also mounts them with rights for all, and read-only.
    if !is_read_only(&opened) {
        check(folder, &metadata)?;
    }
    let path = folder.join(name);
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(&opened, name, FLAGS, Mode::empty(), beneath) {
        Ok(file) => Ok(read_open(file.into(), &path, bytes_max)?.0),
        Err(Errno::XDEV) => Err(OwnedFileError::LinkOut { path }),
        Err(errno) => Err(not_opened(&path, errno)),
    }
}

/// Whether the folder lies on a file system that is mounted read-only.
fn is_read_only(folder: &File) -> bool {
    rustix::fs::fstatvfs(folder).is_ok_and(|mounted| mounted.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// NONBLOCK: opening a pipe would wait for its writer.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

fn not_opened(path: &Path, errno: Errno) -> OwnedFileError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT => OwnedFileError::Missing { path },
        Errno::LOOP => OwnedFileError::Link { path },
        errno => OwnedFileError::Unreadable { path, source: errno.into() },
    }
}

fn read_open(mut file: File, path: &Path, bytes_max: u64) -> Result<(Vec<u8>, Metadata), OwnedFileError> {
    let path = path.to_owned();
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
