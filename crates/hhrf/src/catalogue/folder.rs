//! One folder, `functions/<id>@<version>`, made into a function.

use super::function::{Edition, Function};
use super::module_file::{ModuleFile, ModuleFileError};
use super::owned_file::{self, OwnedFileError};
use super::store::ModuleStore;
use fezz_manifest::{Manifest, ManifestError, Metadata, MetadataError};
use std::path::Path;
use std::sync::Arc;

/// The manifest's name in its folder.
pub const MANIFEST_FILE: &str = "fezz.json";

/// A manifest is a page of JSON; what is larger is something else.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder's name.
    #[error("the folder is named `{name}`: name it <id>@<version>, as `id` and `version` in its manifest")]
    Name {
        /// As it is.
        name: String,
    },
    /// The folder itself.
    #[error("the folder is {0}")]
    NotTrusted(OwnedFileError),
    /// The manifest's file.
    #[error("the manifest should be {0}")]
    ManifestFile(OwnedFileError),
    /// What it says.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The module that it names.
    #[error(transparent)]
    Module(#[from] ModuleFileError),
    /// The module can't be copied.
    #[error("the module can't be kept ({0}): is the disk full, or the folder of --modules gone?")]
    NotKept(std::io::Error),
    /// What the module says about itself, or a route of the manifest.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// Makes a function of a folder, or finds that it is what it was `before`.
pub(super) fn read(
    folder: &Path,
    name: &str,
    store: &Arc<ModuleStore>,
    before: Option<&Arc<Function>>,
) -> Result<Arc<Function>, FolderError> {
    if !name.contains('@') {
        return Err(FolderError::Name { name: name.to_owned() });
    }
    owned_file::check_folder(folder).map_err(FolderError::NotTrusted)?;
    let json = owned_file::read(&folder.join(MANIFEST_FILE), MANIFEST_BYTES_MAX);
    let (json, _) = json.map_err(FolderError::ManifestFile)?;
    let manifest = Manifest::parse(&json, name)?;
    let module = ModuleFile::read(folder, &manifest.entry)?;
    let edition = Edition { manifest: json, module: module.identity };
    if let Some(before) = before.filter(|before| before.edition == edition) {
        return Ok(Arc::clone(before));
    }
    let metadata = module.section.as_deref().map(Metadata::parse).transpose()?.unwrap_or_default();
    Ok(Arc::new(Function {
        timeout: manifest.timeout(&metadata)?,
        routes: manifest.routes(&metadata)?,
        id: manifest.id,
        version: manifest.version,
        module: store.keep(name, &module.bytes).map_err(FolderError::NotKept)?,
        env: manifest.env.into_iter().collect(),
        gate: super::gate_for(&manifest.limits, before),
        account: before.map(|before| Arc::clone(&before.account)).unwrap_or_default(),
        limits: manifest.limits,
        connect: manifest.network.connect,
        execution: manifest.execution,
        spare: manifest.spare,
        edition,
    }))
}
