//! The file that a release executes: found by the manifest's `entry` or `binary`, read once, and checked.

use super::owned_file::{self, OwnedFileError};
use fezz_manifest::module::MODULE_BYTES_MAX;
use fezz_manifest::{Manifest, Module, ModuleError, ProgramError, check_program};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A module or a program that may be served.
#[derive(Debug)]
pub(super) struct CodeFile {
    pub bytes: Vec<u8>,
    /// The file's identity when it was read.
    pub identity: FileIdentity,
    /// The JSON of a module's section `.fezz.manifest`, if it has one.
    pub section: Option<Vec<u8>>,
}

/// Device, inode, size, and the last change in nanoseconds: if the bytes change, so does this.
pub(super) type FileIdentity = (u64, u64, u64, i128);

/// What is wrong with the file that a manifest names. One sentence each, with the fix.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodeFileError {
    #[error("key `entry` names {0}")]
    Module(OwnedFileError),
    #[error("key `binary` names {0}")]
    Program(OwnedFileError),
    #[error("key `binary` names a file in {0}")]
    Folder(OwnedFileError),
    #[error("key `binary` names a file in `{}`, which is a link: put the folder itself there", path.display())]
    LinkedFolder { path: PathBuf },
    #[error("`{}` {fault}", path.display())]
    NotAModule { path: PathBuf, fault: ModuleError },
    #[error("`{}` {fault}", path.display())]
    NotAProgram { path: PathBuf, fault: ProgramError },
}

impl CodeFile {
    /// Reads and checks the file that `manifest` names in `folder`.
    ///
    /// # Errors
    ///
    /// The first reason not to serve it.
    pub(super) fn read(folder: &Path, manifest: &Manifest) -> Result<Self, CodeFileError> {
        match &manifest.binary {
            Some(binary) => Self::of_program(folder, binary),
            None => Self::of_module(&find(folder, manifest.file())),
        }
    }

    fn of_module(path: &Path) -> Result<Self, CodeFileError> {
        let (bytes, file) = owned_file::read(path, MODULE_BYTES_MAX).map_err(CodeFileError::Module)?;
        let not_a_module = |fault| CodeFileError::NotAModule { path: path.to_owned(), fault };
        let section = Module::check(&bytes).map_err(not_a_module)?.metadata.map(<[u8]>::to_vec);
        Ok(Self { bytes, identity: identity(&file), section })
    }

    /// Each folder on the way is checked as the manifest's own: who can write to it can replace the program.
    fn of_program(folder: &Path, binary: &str) -> Result<Self, CodeFileError> {
        let path = folder.join(binary);
        for between in path.ancestors().skip(1).take_while(|between| *between != folder) {
            if between.is_symlink() {
                return Err(CodeFileError::LinkedFolder { path: between.to_owned() });
            }
            // What is missing or no folder is told by reading the file.
            if between.is_dir() {
                owned_file::check_folder(between).map_err(CodeFileError::Folder)?;
            }
        }
        let (bytes, file) = owned_file::read(&path, MODULE_BYTES_MAX).map_err(CodeFileError::Program)?;
        check_program(&bytes).map_err(|fault| CodeFileError::NotAProgram { path, fault })?;
        Ok(Self { bytes, identity: identity(&file), section: None })
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
