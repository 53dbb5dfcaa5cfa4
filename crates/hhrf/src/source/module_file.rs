//! The file of a module: found by the manifest's `entry`, read once, and checked.

use super::owned_file::{self, OwnedFileError};
use fezz_manifest::module::MODULE_BYTES_MAX;
use fezz_manifest::{Module, ModuleError};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A module that may be served.
#[derive(Debug)]
pub(super) struct ModuleFile {
    pub bytes: Vec<u8>,
    /// The file's identity when it was read.
    pub identity: FileIdentity,
    /// The JSON of its section `.fezz.manifest`, if it has one.
    pub section: Option<Vec<u8>>,
}

/// Device, inode, size, and the last change in nanoseconds: if the bytes change, so does this.
pub(super) type FileIdentity = (u64, u64, u64, i128);

/// What is wrong with the file that a manifest's `entry` names. One sentence each, with the fix.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModuleFileError {
    #[error("key `entry` names {0}")]
    File(#[from] OwnedFileError),
    #[error("`{}` {fault}", path.display())]
    NotAModule { path: PathBuf, fault: ModuleError },
}

impl ModuleFile {
    /// Reads and checks the file that `entry`, a file name, names in `folder`.
    ///
    /// # Errors
    ///
    /// The first reason not to serve it.
    pub(super) fn read(folder: &Path, entry: &str) -> Result<Self, ModuleFileError> {
        let path = find(folder, entry);
        let (bytes, file) = owned_file::read(&path, MODULE_BYTES_MAX)?;
        let module = Module::check(&bytes).map_err(|fault| ModuleFileError::NotAModule { path, fault })?;
        let section = module.metadata.map(<[u8]>::to_vec);
        Ok(Self { bytes, identity: identity(&file), section })
    }
}

/// Where the module lies. An entry that ends in `.dylib`, as on macOS, finds the `.so` of the same stem, else the file
/// as named.
fn find(folder: &Path, entry: &str) -> PathBuf {
    let as_named = folder.join(entry);
    let Some(stem) = entry.strip_suffix(".dylib") else { return as_named };
    let of_linux = folder.join(format!("{stem}.so"));
    // Of any type, links included: the type is checked when the file is read. If neither exists, the `.so` is reported
    // as missing.
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    if is_there(&as_named) && !is_there(&of_linux) { as_named } else { of_linux }
}

fn identity(file: &Metadata) -> FileIdentity {
    let changed_ns = i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec());
    (file.dev(), file.ino(), file.len(), changed_ns)
}
