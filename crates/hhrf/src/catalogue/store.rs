//! Copies of the modules that were accepted: what was checked is what runs, whatever happens to the file it came from.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// A folder of this host's own, gone with it.
#[derive(Debug)]
pub struct ModuleStore {
    folder: TempDir,
    next: AtomicU64,
}

/// A copy, gone with the last function and the last request that use it.
#[derive(Debug)]
pub struct KeptModule {
    path: PathBuf,
    _store: Arc<ModuleStore>,
}

/// Why modules can't be kept.
#[derive(Debug, thiserror::Error)]
#[error("failed to make a folder in `{}`, where modules are kept: let the host's user write there, or set --modules", path.display())]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

impl ModuleStore {
    /// Makes a folder below `parent`, and removes those of hosts that ended without doing so.
    ///
    /// # Errors
    ///
    /// `parent` can't be made, or written to.
    pub fn open(parent: &Path) -> Result<Arc<Self>, StoreError> {
        let failed = |source| StoreError { path: parent.to_owned(), source };
        fs::create_dir_all(parent).map_err(failed)?;
        remove_abandoned(parent).map_err(failed)?;
        let prefix = format!("{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(failed)?;
        // A jailed runner is another user, and must find the module.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(Arc::new(Self { folder, next: AtomicU64::new(0) }))
    }

    /// Keeps a module; `name` is the function's `<id>@<version>`.
    ///
    /// # Errors
    ///
    /// The disk is full, or the folder is gone.
    pub fn keep(self: &Arc<Self>, name: &str, module: &[u8]) -> io::Result<KeptModule> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("{name}.{number}.so"));
        let kept = KeptModule { path, _store: Arc::clone(self) };
        fs::write(&kept.path, module)?;
        fs::set_permissions(&kept.path, Permissions::from_mode(0o555))?;
        Ok(kept)
    }
}

impl ModuleStore {
    /// Removes the folder now: at the end of a program, whose last tasks are ended rather than dropped.
    pub fn remove(&self) {
        // What stays is removed by the next host's start.
        fs::remove_dir_all(self.folder.path()).ok();
    }
}

impl KeptModule {
    /// Where it lies, absolute if the store's parent was.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for KeptModule {
    fn drop(&mut self) {
        // A process that has it mapped keeps it; and if it can't be removed, the folder's own end will.
        fs::remove_file(&self.path).ok();
    }
}

/// Removes the folders of hosts that don't run any more, by the process id in their names. An id of this process's own
/// was an earlier host's, as in a container where every host is process 1.
fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-')?.0.parse::<u32>().ok());
        let Some(pid) = pid else { continue };
        if pid == std::process::id() || !Path::new("/proc").join(pid.to_string()).exists() {
            // One that can't be removed costs space, and no more.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_lives_as_long_as_it_is_used_and_abandoned_folders_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let abandoned = parent.path().join("4194305-gone"); // beyond the largest process id
        fs::create_dir(&abandoned).unwrap();
        let store = ModuleStore::open(parent.path()).unwrap();
        assert!(!abandoned.exists());

        let (first, second) = (store.keep("f@v1", b"1").unwrap(), store.keep("f@v1", b"2").unwrap());
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
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
