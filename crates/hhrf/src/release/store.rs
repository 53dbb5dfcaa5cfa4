//! Copies of accepted modules: the host runs exactly the bytes that it checked, even if the original file changes.

use rustix::fs::{Mode, OFlags, StatVfsMountFlags};
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// A folder of this host, removed with it.
#[derive(Debug)]
pub struct ModuleStore {
    folder: TempDir,
    next: AtomicU64,
    /// Locked while this process lives: the folder is in use.
    _lock: File,
}

/// The prefix of hosts' folders: other folders beside them are left alone.
const PREFIX: &str = "hhrf-modules-";

/// The file in it that its host has locked.
const LOCK: &str = ".lock";

/// The module of a release, as a file that only the host writes; removed with the last function and the last request
/// that use it.
#[derive(Debug)]
pub struct Artifact {
    path: PathBuf,
    _store: Arc<ModuleStore>,
}

/// Why modules can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be made.
    #[error(
        "failed to make a folder in `{}`, where modules are kept: let the host's user write there, or set --modules",
        path.display()
    )]
    NoFolder {
        /// Where it was to be.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Its owner could replace the copies.
    #[error("`{}`, where modules are kept, belongs to user {owner}, while the host runs as user {host}: give it to user {host}, or set --modules", path.display())]
    OtherOwner {
        /// Where it is.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// The host's effective user id.
        host: u32,
    },
    /// Every user could create a folder in it that the next host would take for a host's.
    #[error("`{}`, where modules are kept, is a folder that every user can write: set --modules to a folder of the host's own", path.display())]
    WritableByAll {
        /// Where it is.
        path: PathBuf,
    },
    /// No module can be loaded from it.
    #[error("`{}`, where modules are kept, is mounted noexec: set --modules to a folder that isn't (for check-jail TMPDIR)", path.display())]
    NoExec {
        /// Where it is.
        path: PathBuf,
    },
}

impl ModuleStore {
    /// Makes a folder below `parent`, and removes those of hosts that ended without doing so.
    ///
    /// # Errors
    ///
    /// `parent` can't be made, or written to, or others can change it.
    pub fn open(parent: &Path) -> Result<Arc<Self>, StoreError> {
        let failed = |source| StoreError::NoFolder { path: parent.to_owned(), source };
        // An explicit mode, whatever the umask is: folders that others can write are refused.
        DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed)?;
        check_owner(parent, &fs::metadata(parent).map_err(failed)?)?;
        remove_abandoned(parent).map_err(failed)?;
        let mounted = rustix::fs::statvfs(parent).map_err(|error| failed(error.into()))?;
        if mounted.f_flag.contains(StatVfsMountFlags::NOEXEC) {
            return Err(StoreError::NoExec { path: parent.to_owned() });
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).map_err(failed)?;
        let lock = lock(folder.path()).map_err(failed)?;
        // A jailed runner is another user, and must find the module.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(Arc::new(Self { folder, next: AtomicU64::new(0), _lock: lock }))
    }

    /// Keeps a module or a program; `name` is the function's `<id>@<version>`, and `extension` that of the file.
    ///
    /// # Errors
    ///
    /// The disk is full, or the folder is gone.
    pub(crate) fn keep(self: &Arc<Self>, name: &str, extension: &str, bytes: &[u8]) -> io::Result<Artifact> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{name}.{number}{extension}"));
        let kept = Artifact { path, _store: Arc::clone(self) };
        fs::write(&kept.path, bytes)?;
        fs::set_permissions(&kept.path, Permissions::from_mode(mode_of(extension, bytes)))?;
        Ok(kept)
    }
}

impl ModuleStore {
    /// Removes the folder now: for the end of a program, where tasks that still hold copies are never dropped.
    pub fn remove(&self) {
        // On failure, the next host removes it at its start.
        fs::remove_dir_all(self.folder.path()).ok();
    }
}

impl Artifact {
    /// Where it lies, absolute if the store's parent was.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Artifact {
    fn drop(&mut self) {
        // A process that has mapped it keeps it. If it can't be removed, it goes with the folder.
        fs::remove_file(&self.path).ok();
    }
}

/// Refuses a folder in which another user could create files or replace a copy. A group's right to write isn't refused:
/// as for the modules themselves, the operator knows the group's members.
fn check_owner(parent: &Path, metadata: &Metadata) -> Result<(), StoreError> {
    let path = parent.to_owned();
    let (owner, host) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != host && owner != 0 {
        return Err(StoreError::OtherOwner { path, owner, host });
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(StoreError::WritableByAll { path });
    }
    Ok(())
}

/// Makes and locks the file under another name, then renames it, so that no other host sees it unlocked.
fn lock(folder: &Path) -> io::Result<File> {
    let new = folder.join(".new");
    let lock = File::create_new(&new)?;
    lock.lock()?;
    fs::rename(&new, folder.join(LOCK))?;
    Ok(lock)
}

/// Removes the folders of hosts that are gone: those with this host's prefix and a lock file that no process has
/// locked. The kernel releases a lock however its process ends. A process id would not do: another container has its
/// own ids.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        // Without a lock file it is no host's folder, or one that is just being made.
        let Some(lock) = open_lock(&entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            // A folder that can't be removed only costs space.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    Ok(())
}

/// Opens a lock file that a host of this user has made; `None` for anything else, such as a link, a pipe or another
/// user's file.
fn open_lock(path: &Path) -> Option<File> {
    // NONBLOCK: opening a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let lock = File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let metadata = lock.metadata().ok()?;
    (metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw()).then_some(lock)
}

/// A module is read by the loader, a script by its interpreter. A binary is only executed: if its process can't read its
/// file, no other process of its user can trace it, nor the kernel make a core of it (execve(2), on dumpable).
fn mode_of(extension: &str, bytes: &[u8]) -> u32 {
    const EXECUTE: u32 = 0o111;
    const READ_AND_EXECUTE: u32 = 0o555;
    let is_binary = extension.is_empty() && bytes.starts_with(b"\x7fELF");
    if is_binary { EXECUTE } else { READ_AND_EXECUTE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_without_a_lock_file_of_this_user_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folders =
            ["link", "folder", "pipe"].map(|name| parent.path().join(format!("hhrf-modules-{name}")));
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        let [link, folder, pipe] = folders.each_ref().map(|folder| folder.join(LOCK));
        fs::write(parent.path().join("a-file"), "").unwrap();
        std::os::unix::fs::symlink(parent.path().join("a-file"), link).unwrap();
        fs::create_dir(folder).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        remove_abandoned(parent.path()).unwrap();
        assert!(folders.iter().all(|folder| folder.exists()));
    }

    #[test]
    fn a_copy_lives_as_long_as_it_is_used_and_abandoned_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let (abandoned, foreign) =
            (parent.path().join("hhrf-modules-gone"), parent.path().join("2024-backup"));
        for folder in [&abandoned, &foreign] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join(LOCK), "").unwrap();
        }
        let store = ModuleStore::open(parent.path()).unwrap();
        let second_host = ModuleStore::open(parent.path()).unwrap();
        assert!(!abandoned.exists() && foreign.exists());
        assert!(store.folder.path().exists(), "a host's folder is safe from another");
        drop(second_host);

        let (first, second) =
            (store.keep("f@v1", ".so", b"1").unwrap(), store.keep("f@v1", ".so", b"2").unwrap());
        assert_eq!(
            (fs::read(first.path()).unwrap(), fs::read(second.path()).unwrap()),
            (b"1".to_vec(), b"2".to_vec())
        );
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
        drop(store);
        assert!(second.path().exists());
        drop(second);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "the foreign one");
    }

    #[test]
    fn a_programs_binary_can_be_executed_and_not_read() {
        let parent = tempfile::tempdir().unwrap();
        let store = ModuleStore::open(parent.path()).unwrap();
        for (extension, bytes, mode) in [
            ("", "\x7fELF binary", 0o111),
            ("", "#!/usr/bin/python3\n", 0o555),
            (".so", "\x7fELF module", 0o555),
        ] {
            let kept = store.keep("f@v1", extension, bytes.as_bytes()).unwrap();
            assert_eq!(fs::metadata(kept.path()).unwrap().permissions().mode() & 0o777, mode, "{bytes}");
        }
    }
}
