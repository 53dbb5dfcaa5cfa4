//! What the host serves: built from a snapshot of a [source](crate::source), checked as a whole and swapped in as a
//! whole.
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

/// All functions that are served, and the rejected releases.
#[derive(Debug, Default)]
pub struct Catalogue {
    functions: BTreeMap<String, Arc<Function>>,
    latest: HashMap<String, Arc<Function>>,
    router: Router,
    rejected: Vec<RejectedRelease>,
}

/// A release that is not served.
#[derive(Debug, thiserror::Error)]
#[error("`{origin}`: {cause}{}", if *keeps_previous { "; its previous release is still served" } else { "" })]
pub struct RejectedRelease {
    /// Where it comes from, for example its manifest's path.
    pub origin: String,
    /// What is wrong.
    pub cause: RejectionCause,
    /// Whether the previous release of this name is still served.
    pub keeps_previous: bool,
}

/// Why a release is rejected.
#[derive(Debug, thiserror::Error)]
pub enum RejectionCause {
    /// The source can't provide it.
    #[error("{0}")]
    Source(#[source] SourceError),
    /// Another function has one of its routes.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

impl Catalogue {
    /// Serves what is in `snapshot`. Unchanged functions are taken from `previous`. A new release of a name gets the
    /// home of the previous one, which is resized. If a release is rejected, the previous one of its name is still
    /// served.
    pub fn build(snapshot: Snapshot, previous: &Self) -> Self {
        let mut catalogue = Self::default();
        let mut origins = HashMap::new();
        for Entry { name, origin, release } in snapshot.entries {
            let before = previous.functions.get(&name);
            origins.insert(name.clone(), origin.clone());
            match release {
                Ok(release) => {
                    let function = match before {
                        Some(before) if Arc::ptr_eq(&before.release, &release) => Arc::clone(before),
                        _ => Arc::new(Function::new(release, before.map(Arc::as_ref))),
                    };
                    catalogue.functions.insert(name, function);
                }
                Err(cause) => catalogue.reject(origin, name, RejectionCause::Source(cause), before),
            }
        }
        catalogue.route(&origins, previous);
        // Last, when it is certain which release of each name is served.
        catalogue.functions.values().for_each(|function| function.resize_home());
        catalogue
    }

    /// The function named by `/rpc/<id>@<version>`, or by `/rpc/<id>` for its latest version.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Function>> {
        if let Some(function) = self.functions.get(name) {
            return Some(function);
        }
        self.latest.get(name.strip_suffix("@latest").unwrap_or(name))
    }

    /// Finds functions by their routes.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Every function that is served, in the order of their names.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    /// Every rejected release.
    pub fn rejected(&self) -> &[RejectedRelease] {
        &self.rejected
    }

    fn reject(
        &mut self,
        origin: String,
        name: String,
        cause: RejectionCause,
        before: Option<&Arc<Function>>,
    ) {
        self.rejected.push(RejectedRelease { origin, cause, keeps_previous: before.is_some() });
        match before {
            Some(before) => self.functions.insert(name, Arc::clone(before)),
            None => self.functions.remove(&name),
        };
    }

    /// Gives the routes to the latest version of each function. A function that claims another's route is rejected, and
    /// the others are routed again, so that a rejected function has no effect on them.
    fn route(&mut self, origins: &HashMap<String, String>, previous: &Self) {
        loop {
            self.latest = latest_versions(self.functions.values());
            // Releases served before come first, so that they keep their routes whatever the name of a new one is.
            let is_new = |function: &&Arc<Function>| {
                let before = previous.functions.get(&function.name());
                before.is_none_or(|before| !Arc::ptr_eq(before, function))
            };
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
                    // The previous release had no conflict with the functions of its catalogue. A second conflict means
                    // that the previous release itself lost a route.
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
