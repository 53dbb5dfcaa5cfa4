//! One function as its two files: the manifest and the module. Both are checked as the host checks them.

use fezz_manifest::module::MODULE_BYTES_MAX;
use fezz_manifest::{Manifest, ManifestError, Metadata, MetadataError, Module, ModuleError};
use std::env::consts::ARCH;
use std::io;
use std::path::{Path, PathBuf};

/// The manifest's name in its folder.
pub(crate) const MANIFEST_FILE: &str = "fezz.json";

/// A release, ready to be written.
#[derive(Debug)]
pub(crate) struct Release {
    /// `<id>@<version>`, the folder's name.
    pub(crate) name: String,
    /// The manifest's text.
    pub(crate) json: String,
    pub(crate) manifest: Manifest,
    /// The module's bytes.
    pub(crate) module: Vec<u8>,
}

/// Why a folder or a file isn't a function.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReleaseError {
    #[error("failed to read `{}`: is it the folder of a function, as `cargo fezz build` makes it?", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the module `{}` is {bytes} bytes, the limit is {MODULE_BYTES_MAX}: is it the right file?", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("`{}`: {cause}", path.display())]
    Manifest { path: PathBuf, cause: Box<ManifestError> },
    #[error("`{}`: {cause}", path.display())]
    Metadata { path: PathBuf, cause: MetadataError },
    #[error("the module `{}` {cause}", path.display())]
    Module { path: PathBuf, cause: ModuleError },
}

impl Release {
    /// Reads `functions/<id>@<version>`.
    pub(crate) fn read(folder: &Path) -> Result<Self, ReleaseError> {
        let release = Self::read_unchecked(folder)?;
        let module = folder.join(&release.manifest.entry);
        let section = check_module(&module, &release.module, ARCH)?;
        check_metadata(&release.manifest, section)
            .map_err(|cause| ReleaseError::Metadata { path: module, cause })?;
        Ok(release)
    }

    /// The same, without the checks of the module.
    pub(crate) fn read_unchecked(folder: &Path) -> Result<Self, ReleaseError> {
        let path = folder.join(MANIFEST_FILE);
        let json = std::fs::read_to_string(&path);
        let json = json.map_err(|source| ReleaseError::Unreadable { path: path.clone(), source })?;
        // By its real name: `.` is a folder's name, too.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manifest = Manifest::parse(json.as_bytes(), &name);
        let manifest = manifest.map_err(|cause| ReleaseError::Manifest { path, cause: Box::new(cause) })?;
        let module = read_module(&folder.join(&manifest.entry))?;
        Ok(Self { name, json, manifest, module })
    }
}

/// Reads a module's file.
pub(crate) fn read_module(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    let unreadable = |source| ReleaseError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MODULE_BYTES_MAX {
        return Err(ReleaseError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Checks a module for the processor `architecture`, and returns the bytes of its section, if it has one.
pub(crate) fn check_module<'a>(
    path: &Path,
    bytes: &'a [u8],
    architecture: &str,
) -> Result<Option<&'a [u8]>, ReleaseError> {
    let module = Module::check_for(bytes, architecture)
        .map_err(|cause| ReleaseError::Module { path: path.to_owned(), cause })?;
    Ok(module.metadata)
}

/// Checks what the manifest leaves to the module's section.
pub(crate) fn check_metadata(manifest: &Manifest, section: Option<&[u8]>) -> Result<(), MetadataError> {
    let metadata = section.map(Metadata::parse).transpose()?.unwrap_or_default();
    manifest.routes(&metadata)?;
    manifest.timeout(&metadata).map(drop)
}
