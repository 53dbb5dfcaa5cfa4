//! Makes a release of one folder, `functions/<id>@<version>`.

use super::code_file::{CodeFile, CodeFileError, FileIdentity};
use super::owned_file::{self, OwnedFileError};
use super::secrets::{SecretError, Secrets};
use crate::release::{ModuleStore, Release, ReleaseError};
use fezz_manifest::{Manifest, ManifestError, ResolveError, Variables};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The manifest's name in its folder.
pub(super) const MANIFEST_FILE: &str = "fezz.json";

/// A manifest is a page of JSON; a larger file is no manifest.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What a release was read from. If it is the same again, nothing has changed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    manifest: Vec<u8>,
    /// With the values of secrets, which change without the manifest.
    env: Variables,
    code: FileIdentity,
}

/// Without the manifest, whose URLs may hold passwords.
impl fmt::Debug for Contents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Contents").field("code", &self.code).finish_non_exhaustive()
    }
}

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error("the folder is named `{name}`: name it <id>@<version>, as `id` and `version` in its manifest")]
    Name { name: String },
    #[error("the folder is {0}")]
    NotTrusted(OwnedFileError),
    #[error("the manifest should be {0}")]
    ManifestFile(OwnedFileError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Resolve(#[from] ResolveError<SecretError>),
    #[error(transparent)]
    Code(#[from] CodeFileError),
    /// The manifest and the code together.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

/// Makes a release of a folder, or returns the `known` one if nothing has changed.
pub(super) fn read(
    folder: &Path,
    name: &str,
    store: &Arc<ModuleStore>,
    secrets: &Secrets,
    known: Option<&(Contents, Arc<Release>)>,
) -> Result<(Contents, Arc<Release>), FolderError> {
    if !name.contains('@') {
        return Err(FolderError::Name { name: name.to_owned() });
    }
    owned_file::check_folder(folder).map_err(FolderError::NotTrusted)?;
    let json = owned_file::read(&folder.join(MANIFEST_FILE), MANIFEST_BYTES_MAX);
    let (json, _) = json.map_err(FolderError::ManifestFile)?;
    let manifest = Manifest::parse(&json, name)?;
    make(manifest, json, folder, store, secrets, known)
}

/// Makes a release of a checked manifest, whose text is `json` and whose files lie in `folder`; or returns the `known` one
/// if neither it nor its secrets nor its code has changed.
pub(super) fn make(
    manifest: Manifest,
    json: Vec<u8>,
    folder: &Path,
    store: &Arc<ModuleStore>,
    secrets: &Secrets,
    known: Option<&(Contents, Arc<Release>)>,
) -> Result<(Contents, Arc<Release>), FolderError> {
    let manifest = manifest.resolve(|file| secrets.read(file))?;
    let code = CodeFile::read(folder, &manifest)?;
    let contents = Contents { manifest: json, env: manifest.env.clone(), code: code.identity };
    if let Some(known) = known.filter(|(known, _)| *known == contents) {
        return Ok(known.clone());
    }
    let release = Release::new(manifest, &code.bytes, code.section.as_deref(), store)?;
    Ok((contents, Arc::new(release)))
}
