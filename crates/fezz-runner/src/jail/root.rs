//! The process's own root: the module, what `view.rs` lists, and nothing else; read-only, except the scratch.

use super::syscalls;
use super::view;
use super::{identity, namespaces};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags, lstat, mkdirat, openat, readlink, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags,
    UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree,
    unmount,
};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A step of building the root failed.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The module doesn't exist, or this user can't reach it.
    #[error("failed to reach the module `{}`: may this user go through every folder above it?", path.display())]
    Module { path: PathBuf, source: Errno },
    /// Root without the right to mount.
    #[error("failed to make a mount: {fix}")]
    NotPrivileged { fix: &'static str, source: Errno },
    /// A file or folder of the host can't be shown inside.
    #[error("failed to show `{}` in the jail", path.display())]
    Show { path: PathBuf, source: Errno },
    /// A file system in memory can't be made.
    #[error("failed to make a file system in memory (tmpfs)")]
    Tmpfs(#[source] Errno),
    /// The old root can't be left.
    #[error("failed to {step} the root")]
    Change { step: &'static str, source: Errno },
}

/// A read-only copy of the mount of a file or folder, with the mounts below it, not attached yet.
#[derive(Debug)]
pub(crate) struct Detached(OwnedFd);

impl Detached {
    /// The module; call it while this process's user can reach it.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `EACCES`; `EPERM` without CAP_SYS_ADMIN in this mount namespace.
    pub(crate) fn module(path: &Path) -> Result<Self, RootError> {
        Self::take(path, MountAttrFlags::MOUNT_ATTR_NODEV).map_err(|source| match source {
            Errno::PERM if identity::is_root_of_one_user() => {
                RootError::NotPrivileged { fix: identity::LEAVE_NAMESPACE, source }
            }
            Errno::PERM => RootError::NotPrivileged { fix: namespaces::fix(source), source },
            source => RootError::Module { path: path.to_owned(), source },
        })
    }

    /// A path at which this user can reach the file, also where it may not go through the folders above it.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    fn take(path: &Path, attributes: MountAttrFlags) -> Result<Self, Errno> {
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, path, flags)?;
        syscalls::restrict_mounts(
            tree.as_fd(),
            attributes | MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NOSUID,
        )?;
        Ok(Self(tree))
    }

    /// Attaches it over the file or folder `path` below `root`.
    fn attach(&self, root: &OwnedFd, path: &Path) -> Result<(), Errno> {
        move_mount(&self.0, "", root, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    }
}

/// Makes the new root, with `module` and its `interpreter` in it, and leaves the old one for good. Returns the module's
/// path inside.
///
/// Needs a mount namespace of its own. `scratch_bytes` is the size of the folder that can be written to, or 0.
///
/// # Errors
///
/// See [`RootError`].
pub(crate) fn change(
    module: &Detached,
    file_name: &OsStr,
    interpreter: Option<&Path>,
    has_network: bool,
    scratch_bytes: u64,
) -> Result<PathBuf, RootError> {
    let changing = |step| move |source| RootError::Change { step, source };
    // From here on, mounts don't propagate into this namespace or out of it.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(changing("make private"))?;

    // Attached over a folder that every system has, since only an attached mount can become the root.
    let root = tmpfs(ROOT_BYTES, ROOT_FILES, MountAttrFlags::empty()).map_err(RootError::Tmpfs)?;
    move_mount(&root, "", CWD, "/proc", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(changing("attach"))?;

    const NO_DEVICES: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
    show_all(&root, view::ALWAYS, NO_DEVICES)?;
    show_all(&root, view::DEVICES, MountAttrFlags::empty())?;
    if has_network {
        show_all(&root, view::NETWORK, NO_DEVICES)?;
    }
    if let Some(path) = interpreter {
        show(&root, path, NO_DEVICES).map_err(|source| RootError::Show { path: path.to_owned(), source })?;
    }
    let inside = Path::new(view::MODULE).join(file_name);
    make_mount_point(&root, &inside, FileType::RegularFile)
        .and_then(|()| module.attach(&root, below(&inside)))
        .map_err(|source| RootError::Show { path: inside.clone(), source })?;
    if scratch_bytes > 0 {
        scratch(&root, scratch_bytes).map_err(RootError::Tmpfs)?;
    }

    // This mounts the old root over the new one; then it is detached (pivot_root(2), "pivot_root(".", ".")").
    rustix::process::fchdir(&root).map_err(changing("enter"))?;
    rustix::process::pivot_root(".", ".").map_err(changing("exchange"))?;
    unmount(".", UnmountFlags::DETACH).map_err(changing("leave"))?;
    rustix::process::chdir("/").map_err(changing("enter"))?;
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
    syscalls::restrict_mount(root.as_fd(), read_only).map_err(changing("write-protect"))?;
    Ok(inside)
}

/// It holds only folders, links and empty files.
const ROOT_BYTES: u64 = 64 << 10;

/// Twice as many as `view.rs` lists, with the folders above them.
const ROOT_FILES: u64 = 64;

/// A file system in memory, not attached yet.
fn tmpfs(bytes: u64, files: u64, attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "size", bytes.to_string())?;
    fsconfig_set_string(&context, "nr_inodes", files.to_string())?;
    fsconfig_set_string(&context, "mode", "0755")?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes | MountAttrFlags::MOUNT_ATTR_NOSUID)
}

/// A folder to write to, whose files can't be executed.
fn scratch(root: &OwnedFd, bytes: u64) -> Result<(), Errno> {
    /// A file for each page that there is room for, and some that are empty.
    const PAGE_BYTES: u64 = 4096;
    const EMPTY_FILES: u64 = 64;
    let files = bytes / PAGE_BYTES + EMPTY_FILES;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let folder = tmpfs(bytes, files, attributes)?;
    let path = Path::new(view::SCRATCH);
    make_mount_point(root, path, FileType::Directory)?;
    move_mount(&folder, "", root, below(path), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn show_all(root: &OwnedFd, paths: &[(&str, &str)], attributes: MountAttrFlags) -> Result<(), RootError> {
    for (path, _) in paths {
        show(root, Path::new(path), attributes)
            .map_err(|source| RootError::Show { path: path.into(), source })?;
    }
    Ok(())
}

/// Shows one file or folder of the host at the same path. A link in the root folder itself stays a link; elsewhere, the
/// file that it leads to is shown.
fn show(root: &OwnedFd, path: &Path, attributes: MountAttrFlags) -> Result<(), Errno> {
    let link_at_top =
        |mode| FileType::from_raw_mode(mode) == FileType::Symlink && path.parent() == Some(Path::new("/"));
    let kind = match lstat(path) {
        Ok(found) if link_at_top(found.st_mode) => {
            let target = readlink(path, Vec::new())?;
            return symlinkat(target, root, below(path));
        }
        Ok(found) => FileType::from_raw_mode(found.st_mode),
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    let kind = match kind {
        FileType::Symlink => match rustix::fs::stat(path) {
            Ok(found) => FileType::from_raw_mode(found.st_mode),
            // A dangling link, as resolv.conf is on a system where it wasn't written yet.
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error),
        },
        kind => kind,
    };
    make_mount_point(root, path, kind)?;
    Detached::take(path, attributes)?.attach(root, below(path))
}

/// Makes an empty file or folder to mount over, and the folders above it.
fn make_mount_point(root: &OwnedFd, path: &Path, kind: FileType) -> Result<(), Errno> {
    const FOLDER: Mode = Mode::from_raw_mode(0o755);
    let path = below(path);
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
    above.reverse();
    for folder in above {
        match mkdirat(root, folder, FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    if kind == FileType::Directory {
        return mkdirat(root, path, FOLDER);
    }
    openat(root, path, OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o444))
        .map(drop)
}

/// An absolute path, relative to the new root.
fn below(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
