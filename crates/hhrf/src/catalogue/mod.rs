//! What the host serves: everything under `functions/`, checked as a whole and swapped in as a whole.
//!
//! What manifests and modules may say is the crate [`fezz_manifest`]'s. [`owned_file`] reads files that only the host's
//! user can have written, [`module_file`] the module among them, [`store`] keeps a copy of it, [`folder`] makes a
//! [`Function`] of them, [`router`] finds the function for a path, and this file decides which functions are served.

pub mod folder;
pub mod function;
pub mod module_file;
pub mod owned_file;
pub mod router;
pub mod store;

pub use fezz_manifest::{Execution, Limits};
pub use folder::FolderError;
pub use function::Function;
pub use router::{Conflict, Found, Router};
pub use store::{KeptModule, ModuleStore};

use crate::gate::Gate;
use fezz_manifest::version;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All functions that are served, and why the others aren't.
#[derive(Debug, Default)]
pub struct Catalogue {
    functions: BTreeMap<String, Arc<Function>>,
    latest: HashMap<String, Arc<Function>>,
    router: Router,
    refusals: Vec<Refusal>,
}

/// A folder that isn't served as it stands.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {cause}{}", manifest.display(), if *keeps_previous { "; its previous edition is served on" } else { "" })]
pub struct Refusal {
    /// The manifest's file.
    pub manifest: PathBuf,
    /// What is wrong.
    pub cause: RefusalCause,
    /// Whether what was served before under this name goes on.
    pub keeps_previous: bool,
}

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum RefusalCause {
    /// With itself.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// With another function.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

/// Why there is no catalogue at all. At the start the host ends by it; later what is served is served on.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The folder can't be read.
    #[error("failed to read the folder `{}`: create it, or set --root to the folder that holds it", path.display())]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Others could remove functions, or put older ones in their place.
    #[error("the functions lie in {0}")]
    NotTrusted(owned_file::OwnedFileError),
}

impl Catalogue {
    /// Reads `<root>/functions`, and keeps the modules in `store`. What is as it was in `previous` is taken from there,
    /// with its places; what is broken now and was served before is served on.
    ///
    /// # Errors
    ///
    /// Only that the folder can't be read, or that others can write to it: whatever is wrong in it is a [`Refusal`], and
    /// hinders no other function.
    pub fn load(root: &Path, store: &Arc<ModuleStore>, previous: &Self) -> Result<Self, CatalogueError> {
        let path = root.join("functions");
        let folders =
            folders(&path).map_err(|source| CatalogueError::Unreadable { path: path.clone(), source })?;
        owned_file::check_folder(&path).map_err(CatalogueError::NotTrusted)?;
        let mut catalogue = Self::default();
        for folder in folders {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let before = previous.functions.get(&name);
            match folder::read(&folder, &name, store, before) {
                Ok(function) => drop(catalogue.functions.insert(name, function)),
                Err(cause) => {
                    catalogue.refuse(folder.join(folder::MANIFEST_FILE), name, cause.into(), before)
                }
            }
        }
        catalogue.route(&path, previous);
        Ok(catalogue)
    }

    /// The function named by `/rpc/<id>@<version>`, or by `/rpc/<id>` for its latest version.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Function>> {
        if let Some(function) = self.functions.get(name) {
            return Some(function);
        }
        self.latest.get(name.strip_suffix("@latest").unwrap_or(name))
    }

    /// Where routes lead.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Every function that is served, in the order of their names.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    /// Every folder that isn't served as it stands.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Whether both serve the same functions, and refuse the same folders for the same reasons.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let reasons = |catalogue: &Self| -> Vec<String> {
            catalogue.refusals.iter().map(ToString::to_string).collect()
        };
        let mut pairs = self.functions.values().zip(other.functions.values());
        self.functions.len() == other.functions.len()
            && pairs.all(|(one, other)| Arc::ptr_eq(one, other))
            && reasons(self) == reasons(other)
    }

    fn refuse(
        &mut self,
        manifest: PathBuf,
        name: String,
        cause: RefusalCause,
        before: Option<&Arc<Function>>,
    ) {
        self.refusals.push(Refusal { manifest, cause, keeps_previous: before.is_some() });
        match before {
            Some(before) => self.functions.insert(name, Arc::clone(before)),
            None => self.functions.remove(&name),
        };
    }

    /// Gives the routes to the latest version of each function. Who claims a route that another has is refused, and
    /// the rest is routed anew: so that a refused function leaves no trace.
    fn route(&mut self, path: &Path, previous: &Self) {
        loop {
            self.latest = latest_versions(self.functions.values());
            // Who was there before keeps its routes, whatever a newcomer is called.
            let is_new = |function: &&Arc<Function>| !previous.functions.contains_key(&function.name());
            let mut in_order: Vec<&Arc<Function>> = self.latest.values().collect();
            in_order.sort_by_cached_key(|function| (is_new(function), function.name()));
            match Router::new(in_order.into_iter()) {
                Ok(router) => {
                    self.router = router;
                    return;
                }
                Err(conflict) => {
                    let name = conflict.refused.clone();
                    let manifest = path.join(&name).join(folder::MANIFEST_FILE);
                    // Its previous edition held its routes beside all others that hold theirs; a second conflict
                    // means that it is the previous edition itself which lost.
                    let before = previous.functions.get(&name);
                    let before = before.filter(|before| !Arc::ptr_eq(before, &self.functions[&name]));
                    self.refuse(manifest, name, conflict.into(), before);
                }
            }
        }
    }
}

/// The folders below `path`, in the order of their names. Hidden ones are left out: deployments build there.
fn folders(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// Of each id the version named `latest`, else the highest.
fn latest_versions<'a>(functions: impl Iterator<Item = &'a Arc<Function>>) -> HashMap<String, Arc<Function>> {
    let mut latest: HashMap<String, Arc<Function>> = HashMap::new();
    for function in functions {
        match latest.get(&function.id) {
            Some(other) if version::compare(&other.version, &function.version).is_gt() => {}
            _ => drop(latest.insert(function.id.clone(), Arc::clone(function))),
        }
    }
    latest
}

/// The places of a function: those of its previous edition while their number is the same, so that a reload can't
/// double them.
fn gate_for(limits: &Limits, before: Option<&Arc<Function>>) -> Arc<Gate> {
    let same = before.filter(|before| {
        (before.limits.concurrency, before.limits.queue) == (limits.concurrency, limits.queue)
    });
    match same {
        Some(before) => Arc::clone(&before.gate),
        None => Arc::new(Gate::new(limits.concurrency, limits.queue)),
    }
}
