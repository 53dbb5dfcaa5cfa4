//! What the host serves: built from a snapshot of a [source](crate::source), checked as a whole and swapped in as a whole.
//!
//! [`release`] is what a snapshot has of each function, [`function`] is one that is served, [`router`] finds the function
//! for a path, and this file decides which are served.

pub mod function;
pub mod release;
pub mod router;

pub use fezz_manifest::{Execution, Limits};
pub use function::{Function, Home};
pub use release::{Release, ReleaseError};
pub use router::{Conflict, Found, Router};

use crate::source::{Entry, Snapshot, SourceError};
use fezz_manifest::version;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All functions that are served, and why the others aren't.
#[derive(Debug, Default)]
pub struct Catalogue {
    functions: BTreeMap<String, Arc<Function>>,
    latest: HashMap<String, Arc<Function>>,
    router: Router,
    rejected: Vec<RejectedRelease>,
}

/// A release that isn't served as it stands.
#[derive(Debug, thiserror::Error)]
#[error("`{origin}`: {cause}{}", if *keeps_previous { "; its previous release is served on" } else { "" })]
pub struct RejectedRelease {
    /// Where it comes from.
    pub origin: String,
    /// What is wrong.
    pub cause: RejectionCause,
    /// Whether what was served before under this name goes on.
    pub keeps_previous: bool,
}

/// What is wrong with a release.
#[derive(Debug, thiserror::Error)]
pub enum RejectionCause {
    /// With itself, as its source says.
    #[error("{0}")]
    Source(#[source] SourceError),
    /// With another function.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

impl Catalogue {
    /// Serves what is in `snapshot`. What is as it was in `previous` is taken from there; a new release of a name gets the
    /// home of the one before, which is resized. What is broken now and was served before is served on.
    pub fn build(snapshot: Snapshot, previous: &Self) -> Self {
        let mut catalogue = Self::default();
        let mut origins = HashMap::new();
        for Entry { name, origin, release } in snapshot.entries {
            let before = previous.functions.get(&name);
            match release {
                Ok(release) => {
                    let function = match before {
                        Some(before) if Arc::ptr_eq(&before.release, &release) => Arc::clone(before),
                        _ => Arc::new(Function::new(release, before.map(Arc::as_ref))),
                    };
                    origins.insert(name.clone(), origin);
                    catalogue.functions.insert(name, function);
                }
                Err(cause) => catalogue.reject(origin, name, RejectionCause::Source(cause), before),
            }
        }
        catalogue.route(&origins, previous);
        // Not before it is certain which release of each name is served.
        catalogue.functions.values().for_each(|function| function.fit_home());
        catalogue
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

    /// Every release that isn't served as it stands.
    pub fn rejected(&self) -> &[RejectedRelease] {
        &self.rejected
    }

    fn reject(&mut self, origin: String, name: String, cause: RejectionCause, before: Option<&Arc<Function>>) {
        self.rejected.push(RejectedRelease { origin, cause, keeps_previous: before.is_some() });
        match before {
            Some(before) => self.functions.insert(name, Arc::clone(before)),
            None => self.functions.remove(&name),
        };
    }

    /// Gives the routes to the latest version of each function. One that claims a route of another is refused, and the
    /// rest is routed again: so that a refused function leaves no trace.
    fn route(&mut self, origins: &HashMap<String, String>, previous: &Self) {
        loop {
            self.latest = latest_versions(self.functions.values());
            // One that was there before keeps its routes, whatever a new one is called.
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
                    let origin = origins.get(&name).cloned().unwrap_or_default();
                    // Its previous release held its routes beside all others that hold theirs; a second conflict
                    // means that it is the previous release itself which lost.
                    let before = previous.functions.get(&name);
                    let before = before.filter(|before| !Arc::ptr_eq(before, &self.functions[&name]));
                    self.reject(origin, name, conflict.into(), before);
                }
            }
        }
    }
}

/// Of each id the version named `latest`, else the highest.
fn latest_versions<'a>(functions: impl Iterator<Item = &'a Arc<Function>>) -> HashMap<String, Arc<Function>> {
    let mut latest: HashMap<String, Arc<Function>> = HashMap::new();
    for function in functions {
        match latest.get(&function.release.id) {
            Some(other) if version::compare(&other.release.version, &function.release.version).is_gt() => {}
            _ => drop(latest.insert(function.release.id.clone(), Arc::clone(function))),
        }
    }
    latest
}
