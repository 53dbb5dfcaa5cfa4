//! Finds the target for a host, method and path.

use super::target::Target;
use fezz_manifest::routing::{Match, Params, Table, Taken};
use fezz_manifest::{Domain, RoutePattern};
use http::Method;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The routes of all targets. A route for the exact host wins over one for `*.` of it (the longest first), and that
/// over one for any host. Within each, a route for the exact method wins over one for any method.
#[derive(Debug, Default)]
pub(crate) struct Router {
    exact: HashMap<String, Routes>,
    /// Suffixes, longest first.
    below: Vec<(String, Routes)>,
    any: Routes,
}

/// The routes of one host.
type Routes = Table<Arc<Target>>;

/// Two functions claim one route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the route `{route}` of `{rejected}` is already `{path}` of `{owner}`: change one of them, or its method or domains"
)]
pub(crate) struct Conflict {
    /// Method and path of the second.
    pub route: String,
    /// The second: `<id>@<version>`.
    pub rejected: String,
    /// The first one's path.
    pub path: String,
    /// The first: `<id>@<version>`.
    pub owner: String,
}

#[derive(Debug)]
pub(crate) enum Found<'a> {
    Target {
        target: &'a Arc<Target>,
        params: Params,
        /// Whether its route is for GET, though the request is HEAD.
        is_get: bool,
    },
    /// There are routes for the path, but for other methods.
    OtherMethods(BTreeSet<String>),
    /// There is no route.
    Nothing,
}

impl Router {
    /// Adds the routes of all `targets`, in their order.
    ///
    /// # Errors
    ///
    /// The first route that an earlier target has already.
    pub(crate) fn new<'a>(targets: impl Iterator<Item = &'a Arc<Target>>) -> Result<Self, Conflict> {
        let mut router = Self::default();
        for target in targets {
            for route in target.routes() {
                router.insert(route, target)?;
            }
        }
        router.below.sort_by_key(|(suffix, _)| std::cmp::Reverse(suffix.len()));
        Ok(router)
    }

    /// Finds the target of a request. `host` is in lower case and without a port.
    pub(crate) fn find<'a>(&'a self, host: Option<&'a str>, method: &Method, path: &str) -> Found<'a> {
        let mut allowed = BTreeSet::new();
        for table in self.tables(host) {
            if let Some(Match { value: target, params, is_get }) = table.find(method.as_str(), path) {
                return Found::Target { target, params, is_get };
            }
            table.collect_methods(path, &mut allowed);
        }
        if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
    }

    fn tables<'a>(&'a self, host: Option<&'a str>) -> impl Iterator<Item = &'a Routes> {
        let exact = host.and_then(|host| self.exact.get(host));
        let below = self.below.iter().filter(move |(suffix, _)| {
            host.is_some_and(|host| host.len() > suffix.len() && host.ends_with(suffix.as_str()))
        });
        exact.into_iter().chain(below.map(|(_, table)| table)).chain([&self.any])
    }

    fn insert(&mut self, route: &RoutePattern, target: &Arc<Target>) -> Result<(), Conflict> {
        if route.domains.is_empty() {
            return insert(&mut self.any, route, target);
        }
        for domain in &route.domains {
            let table = match domain {
                Domain::Exact(host) => self.exact.entry(host.clone()).or_default(),
                Domain::Below(suffix) => {
                    let index = self.below.iter().position(|(known, _)| known == suffix);
                    let index = index.unwrap_or_else(|| {
                        self.below.push((suffix.clone(), Routes::default()));
                        self.below.len() - 1
                    });
                    &mut self.below[index].1
                }
            };
            insert(table, route, target)?;
        }
        Ok(())
    }
}

fn insert(table: &mut Routes, route: &RoutePattern, target: &Arc<Target>) -> Result<(), Conflict> {
    let added = table.insert(&route.methods, &route.path, target);
    added.map_err(|Taken { method, path, value: first }| Conflict {
        route: format!("{method} {}", route.path).trim_start().to_owned(),
        rejected: target.owner().name(),
        owner: first.owner().name(),
        path,
    })
}
