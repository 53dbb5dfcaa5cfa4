//! One function as its two files: the manifest and the module. Both are checked as the host checks them.

use fezz_manifest::module::MODULE_BYTES_MAX;
use fezz_manifest::{Manifest, ManifestError, Metadata, MetadataError, Module, ModuleError, ProgramError};
use std::env::consts::ARCH;
use std::io;
use std::path::{Path, PathBuf};

/// The manifest's name in its folder.
pub const MANIFEST_FILE: &str = "fezz.json";

/// A release, ready to be written or served.
#[derive(Debug)]
pub struct Release {
    /// `<id>@<version>`, the folder's name.
    pub name: String,
    /// The manifest's text.
    pub json: String,
    /// What it says.
    pub manifest: Manifest,
    /// The bytes of the module, or of the program of `binary`.
    pub module: Vec<u8>,
}

/// Why a folder or a file isn't a function.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A file can't be read.
    #[error("failed to read `{}`: is it the folder of a function, as `cargo fezz build` makes it?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than any module.
    #[error("the module `{}` is {bytes} bytes, the limit is {MODULE_BYTES_MAX}: is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// `fezz.json` is wrong.
    #[error("`{}`: {cause}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: Box<ManifestError>,
    },
    /// The module's section, or what the manifest leaves to it, is wrong.
    #[error("`{}`: {cause}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: MetadataError,
    },
    /// It is no program.
    #[error("the program `{}` {cause}", path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: ProgramError,
    },
    /// It is no module.
    #[error("the module `{}` {cause}", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: ModuleError,
    },
}

/// The version where no file says one.
const VERSION_DEFAULT: &str = "v1";

impl Release {
    /// Reads `functions/<id>@<version>`.
    pub fn read(folder: &Path) -> Result<Self, ReleaseError> {
        let release = Self::read_unchecked(folder)?;
        let module = folder.join(release.manifest.file());
        let section = match &release.manifest.binary {
            Some(_) => {
                check_program(&module, &release.module)?;
                None
            }
            None => check_module(&module, &release.module, ARCH)?,
        };
        check_metadata(&release.manifest, section)
            .map_err(|cause| ReleaseError::Metadata { path: module, cause })?;
        Ok(release)
    }

    /// The same, without the checks of the module.
    pub fn read_unchecked(folder: &Path) -> Result<Self, ReleaseError> {
        let path = folder.join(MANIFEST_FILE);
        let json = std::fs::read_to_string(&path);
        let json = json.map_err(|source| ReleaseError::Unreadable { path: path.clone(), source })?;
        // By its real name: `.` is a folder's name, too.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manifest = Manifest::parse(json.as_bytes(), &name);
        let manifest = manifest.map_err(|cause| ReleaseError::Manifest { path, cause: Box::new(cause) })?;
        let module = read_module(&folder.join(manifest.file()))?;
        Ok(Self { name, json, manifest, module })
    }

    /// Reads a module alone. A `fezz.json` beside it counts. Without one, the manifest has the id and version that the
    /// module itself says, else its file's name, and the default of every other key.
    pub fn of_module(path: &Path) -> Result<Self, ReleaseError> {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        if folder.join(MANIFEST_FILE).is_file() {
            return Self::read(folder);
        }
        let module = read_module(path)?;
        let section = check_module(path, &module, ARCH)?;
        let stated: serde_json::Value =
            section.and_then(|section| serde_json::from_slice(section).ok()).unwrap_or_default();
        let entry = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let id = stated["id"].as_str().unwrap_or(stem.strip_prefix("lib").unwrap_or(&stem));
        let version = stated["version"].as_str().unwrap_or(VERSION_DEFAULT);
        let name = fezz_manifest::names::full_name(id, version);
        let json = serde_json::json!({"id": id, "version": version, "entry": entry}).to_string();
        let manifest = Manifest::parse(json.as_bytes(), &name)
            .map_err(|cause| ReleaseError::Manifest { path: path.to_owned(), cause: Box::new(cause) })?;
        check_metadata(&manifest, section)
            .map_err(|cause| ReleaseError::Metadata { path: path.to_owned(), cause })?;
        Ok(Self { name, json, manifest, module })
    }
}

/// Reads a module's file.
pub fn read_module(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    let unreadable = |source| ReleaseError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MODULE_BYTES_MAX {
        return Err(ReleaseError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(unreadable)
}

/// Checks a module for the processor `architecture`, and returns the bytes of its section, if it has one.
pub fn check_module<'a>(
    path: &Path,
    bytes: &'a [u8],
    architecture: &str,
) -> Result<Option<&'a [u8]>, ReleaseError> {
    let module = Module::check_for(bytes, architecture)
        .map_err(|cause| ReleaseError::Module { path: path.to_owned(), cause })?;
    Ok(module.metadata)
}

/// Checks a program for this machine's processor, or a script.
pub fn check_program(path: &Path, bytes: &[u8]) -> Result<(), ReleaseError> {
    fezz_manifest::check_program(bytes)
        .map_err(|cause| ReleaseError::Program { path: path.to_owned(), cause })
}

/// Checks what the manifest leaves to the module's section.
pub fn check_metadata(manifest: &Manifest, section: Option<&[u8]>) -> Result<(), MetadataError> {
    let metadata = section.map(Metadata::parse).transpose()?.unwrap_or_default();
    manifest.routes(&metadata)?;
    manifest.timeout(&metadata).map(drop)
}
