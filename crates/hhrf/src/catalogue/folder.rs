//! One folder, `functions/<id>@<version>`, made into a function.

use super::function::{Edition, Function};
use super::manifest::{Manifest, Route, TIMEOUT_MS_DEFAULT};
use super::manifest_error::ManifestError;
use super::module_file::{ModuleFile, ModuleFileError};
use super::owned_file::{self, OwnedFileError};
use super::pattern::{PatternError, RoutePattern};
use super::store::ModuleStore;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
    /// A route.
    #[error("key `routes[{index}]`: {source}")]
    Route {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: PatternError,
    },
    /// A route in the module's own metadata.
    #[error("the module's metadata holds a bad route: {0}; or write `routes` into the manifest")]
    MetadataRoute(PatternError),
    /// The module's metadata.
    #[error("the module's section {section} can't be read ({message}): build it with the current fezz", section = fezz_wire::abi::MANIFEST_SECTION)]
    Metadata {
        /// What the parser says.
        message: String,
    },
}

/// What a module says about itself; the manifest's own words win. Keys unknown here are a newer macro's.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    timeout_ms: Option<u64>,
    routes: Option<Vec<Route>>,
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
    let module = ModuleFile::check(folder, &manifest.entry)?;
    let edition = Edition { manifest: json, module: module.identity };
    if let Some(before) = before.filter(|before| before.edition == edition) {
        return Ok(Arc::clone(before));
    }
    let metadata = match &module.metadata {
        Some(json) => read_metadata(json)?,
        None => Metadata::default(),
    };
    let timeout_ms = manifest.timeout_ms.or(metadata.timeout_ms).unwrap_or(TIMEOUT_MS_DEFAULT);
    Ok(Arc::new(Function {
        routes: routes(manifest.routes.as_deref(), metadata.routes.as_deref())?,
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
        timeout: Duration::from_millis(timeout_ms),
        edition,
    }))
}

fn read_metadata(json: &[u8]) -> Result<Metadata, FolderError> {
    serde_json::from_slice(json).map_err(|error| FolderError::Metadata { message: error.to_string() })
}

fn routes(own: Option<&[Route]>, metadata: Option<&[Route]>) -> Result<Vec<RoutePattern>, FolderError> {
    let Some(own) = own else {
        let routes = metadata.unwrap_or_default().iter();
        return routes.map(RoutePattern::new).collect::<Result<_, _>>().map_err(FolderError::MetadataRoute);
    };
    let pattern =
        |(index, route)| RoutePattern::new(route).map_err(|source| FolderError::Route { index, source });
    own.iter().enumerate().map(pattern).collect()
}
