//! What the host serves: built from a snapshot of a [source](crate::source), checked as a whole and swapped in as a
//! whole.
//!
//! [`Function`] is one that is served, in its [`Home`]; `router` finds the target for a path, and a `target` chooses the
//! function. `own_routes` are those of one function, for requests that name it. This file decides which are served.

mod function;
mod home;
mod own_routes;
mod router;
mod target;
mod uids;

pub use fezz_manifest::{Execution, Limits};
pub use function::Function;
pub use home::Home;
pub(crate) use home::Homes;
pub(crate) use router::{Conflict, Found, Router};

use crate::execute::{NotExecutable, NotReady};
use crate::release::Release;
use crate::source::{Snapshot, SourceError, Unavailable};
use fezz_manifest::version;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use target::Target;

/// All functions that are served, and the rejected releases.
#[derive(Debug, Default)]
pub struct Catalogue {
    functions: BTreeMap<String, Arc<Function>>,
    /// By id.
    targets: HashMap<String, Arc<Target>>,
    router: Router,
    rejected: Vec<RejectedRelease>,
    /// What the next catalogue is to serve, once their processes are ready.
    candidates: BTreeMap<String, Arc<Function>>,
    /// Where the releases of the snapshot come from, by name.
    origins: HashMap<String, String>,
}

/// A function that a catalogue serves in place of another one, under its name or by its routes.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub function: Arc<Function>,
    pub predecessor: Arc<Function>,
}

/// A release that is not served.
#[derive(Debug, thiserror::Error)]
#[error("`{origin}`: {cause}{}", if *keeps_previous { "; its previous release is still served" } else { "" })]
pub(crate) struct RejectedRelease {
    /// `<id>@<version>`
    pub name: String,
    /// Where it comes from, for example its manifest's path.
    pub origin: String,
    pub cause: RejectionCause,
    /// Whether the previous release of this name is still served.
    pub keeps_previous: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RejectionCause {
    /// The source can't provide it.
    #[error("{0}")]
    Source(#[source] SourceError),
    /// The host can't execute it.
    #[error(transparent)]
    NotExecutable(#[from] NotExecutable),
    /// Another function has one of its routes.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// Its processes aren't ready to take over. It is a candidate.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// Another entry of the snapshot has its name.
    #[error("`{name}` is already that of `{first}`: give each function a name of its own")]
    SameName {
        /// `<id>@<version>`
        name: String,
        /// Where the other comes from, which is served.
        first: String,
    },
}

impl Catalogue {
    /// Serves what is in `snapshot`. Unchanged functions are taken from `previous`. A new release of a name gets the
    /// home of the previous one, which is resized; a new name gets one of `homes`. If a release is rejected, the previous
    /// one of its name is still served. `check` rejects those that the host can't execute.
    pub(crate) fn build(
        snapshot: Snapshot,
        previous: &Self,
        homes: &Homes,
        check: &dyn Fn(&Release) -> Result<(), NotExecutable>,
    ) -> Self {
        let mut catalogue = Self::default();
        for entry in snapshot.entries {
            let name = entry.name();
            if let Some(first) = catalogue.origins.get(&name) {
                let cause = RejectionCause::SameName { name: name.clone(), first: first.clone() };
                catalogue.rejected.push(RejectedRelease {
                    name,
                    origin: entry.origin,
                    cause,
                    keeps_previous: false,
                });
                continue;
            }
            catalogue.origins.insert(name.clone(), entry.origin.clone());
            let release = entry.release.map_err(|Unavailable { cause, .. }| RejectionCause::Source(cause));
            let release = release.and_then(|release| Ok(check(&release).map(|()| release)?));
            catalogue.add(name, entry.origin, release, previous, homes);
        }
        catalogue.route(previous);
        catalogue
    }

    fn add(
        &mut self,
        name: String,
        origin: String,
        release: Result<Arc<Release>, RejectionCause>,
        previous: &Self,
        homes: &Homes,
    ) {
        let before = previous.functions.get(&name);
        match release {
            Ok(release) => {
                let function = match before {
                    Some(before) if Arc::ptr_eq(&before.release, &release) => Arc::clone(before),
                    _ => match previous.candidates.get(&name) {
                        Some(candidate) if Arc::ptr_eq(&candidate.release, &release) => Arc::clone(candidate),
                        _ => Arc::new(Function::new(release, before.map(Arc::as_ref), homes)),
                    },
                };
                self.functions.insert(name, function);
            }
            Err(cause) => self.reject(origin, name, cause, before),
        }
    }

    /// Which functions replace others of `previous`: as a new release of the same name, or as another version that gets the
    /// requests of its id.
    pub(crate) fn replacements(&self, previous: &Self) -> Vec<Replacement> {
        let of_same_name = self
            .functions
            .iter()
            .filter_map(|(name, function)| Some((function, previous.functions.get(name)?)));
        let of_same_id = self
            .targets
            .iter()
            .filter_map(|(id, target)| Some((target.owner(), previous.targets.get(id)?.owner())));
        let mut replacements: Vec<Replacement> = of_same_name
            .chain(of_same_id)
            .filter(|(function, predecessor)| !Arc::ptr_eq(function, predecessor))
            .map(|(function, predecessor)| Replacement {
                function: Arc::clone(function),
                predecessor: Arc::clone(predecessor),
            })
            .collect();
        replacements.sort_by_key(|replacement| replacement.function.name());
        replacements.dedup_by_key(|replacement| replacement.function.name());
        replacements
    }

    /// Serves the predecessors of functions that aren't ready; those become candidates. One that is already served under
    /// its own name can't be: its predecessor was removed.
    pub(crate) fn hold_back(&mut self, late: Vec<(Replacement, NotReady)>, previous: &Self) {
        for (Replacement { function, predecessor }, cause) in late {
            let name = function.name();
            if previous.serves(&name, &function) {
                continue;
            }
            self.functions.remove(&name);
            self.functions.entry(predecessor.name()).or_insert(predecessor);
            let origin = self.origins.get(&name).cloned().unwrap_or_default();
            let cause = RejectionCause::NotReady(cause);
            self.rejected.push(RejectedRelease { name: name.clone(), origin, cause, keeps_previous: true });
            self.candidates.insert(name, function);
        }
        self.route(previous);
    }

    fn serves(&self, name: &str, function: &Arc<Function>) -> bool {
        self.functions.get(name).is_some_and(|served| Arc::ptr_eq(served, function))
    }

    /// Marks the functions and candidates of `previous` that this catalogue doesn't have, or in another release.
    pub(crate) fn retire(&self, previous: &Self) {
        let is_candidate = |name: &String, function: &Arc<Function>| {
            self.candidates.get(name).is_some_and(|candidate| Arc::ptr_eq(candidate, function))
        };
        let before = previous.functions.iter().chain(&previous.candidates);
        let gone =
            before.filter(|(name, function)| !self.serves(name, function) && !is_candidate(name, function));
        gone.for_each(|(_, function)| function.retire());
    }

    /// Closes the homes of `previous` whose names this catalogue doesn't serve.
    pub(crate) fn close_homes(&self, previous: &Self) {
        let gone = previous.functions.iter().filter(|(name, _)| !self.functions.contains_key(*name));
        gone.for_each(|(_, function)| function.home.close());
    }

    /// The function named by `/rpc/<id>@<version>`, or by `/rpc/<id>` for its latest version.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Function>> {
        if let Some(function) = self.functions.get(name) {
            return Some(function);
        }
        self.targets.get(name.strip_suffix("@latest").unwrap_or(name)).map(|target| target.choose())
    }

    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// The functions that are to be served when their processes are ready.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.candidates.values()
    }

    /// Every function that is served, in the order of their names.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    pub(crate) fn rejected(&self) -> &[RejectedRelease] {
        &self.rejected
    }

    fn reject(
        &mut self,
        origin: String,
        name: String,
        cause: RejectionCause,
        before: Option<&Arc<Function>>,
    ) {
        let keeps_previous = before.is_some();
        self.rejected.push(RejectedRelease { name: name.clone(), origin, cause, keeps_previous });
        match before {
            Some(before) => self.functions.insert(name, Arc::clone(before)),
            None => self.functions.remove(&name),
        };
    }

    /// Gives the routes to the latest version of each function. A function that claims another's route is rejected, and
    /// the others are routed again, so that a rejected function has no effect on them.
    fn route(&mut self, previous: &Self) {
        loop {
            self.targets = latest_versions(self.functions.values());
            // Releases served before come first, so that they keep their routes whatever the name of a new one is.
            let is_new = |function: &Arc<Function>| {
                let before = previous.functions.get(&function.name());
                before.is_none_or(|before| !Arc::ptr_eq(before, function))
            };
            let mut in_order: Vec<&Arc<Target>> = self.targets.values().collect();
            in_order.sort_by_cached_key(|target| (is_new(target.owner()), target.owner().name()));
            match Router::new(in_order.into_iter()) {
                Ok(router) => {
                    self.router = router;
                    return;
                }
                Err(conflict) => {
                    let name = conflict.rejected.clone();
                    let origin = self.origins.get(&name).cloned().unwrap_or_default();
                    // The previous release had no conflict with the functions of its catalogue. A second conflict means
                    // that the previous release itself lost a route.
                    let before = previous.functions.get(&name);
                    let before = before.filter(|before| !Arc::ptr_eq(before, &self.functions[&name]));
                    if !previous.serves(&name, &self.functions[&name]) {
                        // Its processes may have been started already.
                        self.functions[&name].retire();
                    }
                    self.reject(origin, name, conflict.into(), before);
                }
            }
        }
    }
}

/// Of each id the version named `latest`, else the highest.
fn latest_versions<'a>(functions: impl Iterator<Item = &'a Arc<Function>>) -> HashMap<String, Arc<Target>> {
    let mut latest: HashMap<&str, &Arc<Function>> = HashMap::new();
    for function in functions {
        match latest.get(function.release.id.as_str()) {
            Some(other) if version::compare(&other.release.version, &function.release.version).is_gt() => {}
            _ => drop(latest.insert(&function.release.id, function)),
        }
    }
    latest.into_iter().map(|(id, function)| (id.to_owned(), Target::new(function))).collect()
}

#[cfg(test)]
mod tests;
