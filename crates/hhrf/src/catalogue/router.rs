//! Finds the target for a host, method and path.

use super::target::Target;
use fezz_manifest::{Domain, RoutePattern};
use http::Method;
use matchit::InsertError;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The routes of all targets. A route for the exact host wins over one for `*.` of it (the longest first), and that
/// over one for any host. Within each, a route for the exact method wins over one for any method.
#[derive(Debug, Default)]
pub(crate) struct Router {
    exact: HashMap<String, Table>,
    /// Suffixes, longest first.
    below: Vec<(String, Table)>,
    any: Table,
}

/// The routes of one host. Each method has a trie, so that a narrow pattern for GET and a wider one for POST can both
/// match one path.
#[derive(Debug, Default)]
struct Table {
    methods: HashMap<String, Paths>,
    any_method: Paths,
}

#[derive(Debug, Default)]
struct Paths {
    trie: matchit::Router<Arc<Target>>,
    /// The function that owns each pattern: matchit's conflict names the pattern only.
    owners: HashMap<String, String>,
}

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

/// Parameters as they stand in the path, still percent-encoded.
pub(super) type Params = Vec<(String, String)>;

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
            if let Some(found) = table.find(method, path) {
                return found;
            }
            table.collect_methods(path, &mut allowed);
        }
        if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
    }

    fn tables<'a>(&'a self, host: Option<&'a str>) -> impl Iterator<Item = &'a Table> {
        let exact = host.and_then(|host| self.exact.get(host));
        let below = self.below.iter().filter(move |(suffix, _)| {
            host.is_some_and(|host| host.len() > suffix.len() && host.ends_with(suffix.as_str()))
        });
        exact.into_iter().chain(below.map(|(_, table)| table)).chain([&self.any])
    }

    fn insert(&mut self, route: &RoutePattern, target: &Arc<Target>) -> Result<(), Conflict> {
        if route.domains.is_empty() {
            return self.any.insert(route, target);
        }
        for domain in &route.domains {
            let table = match domain {
                Domain::Exact(host) => self.exact.entry(host.clone()).or_default(),
                Domain::Below(suffix) => {
                    let index = self.below.iter().position(|(known, _)| known == suffix);
                    let index = index.unwrap_or_else(|| {
                        self.below.push((suffix.clone(), Table::default()));
                        self.below.len() - 1
                    });
                    &mut self.below[index].1
                }
            };
            table.insert(route, target)?;
        }
        Ok(())
    }
}

impl Table {
    fn insert(&mut self, route: &RoutePattern, target: &Arc<Target>) -> Result<(), Conflict> {
        if route.methods.is_empty() {
            return self.any_method.insert("", &route.path, target);
        }
        for method in &route.methods {
            let paths = self.methods.entry(method.clone()).or_default();
            paths.insert(method, &route.path, target)?;
        }
        Ok(())
    }

    fn find(&self, method: &Method, path: &str) -> Option<Found<'_>> {
        let own = self.methods.get(method.as_str()).and_then(|paths| paths.find(path));
        let any = || self.any_method.find(path);
        // HEAD is GET without the body (RFC 9110, section 9.3.2), which the host leaves out.
        let get = || self.methods.get(Method::GET.as_str())?.find(path);
        let get = || if method == Method::HEAD { get() } else { None };
        let of = |(target, params), is_get| Found::Target { target, params, is_get };
        own.map(|found| of(found, false))
            .or_else(|| get().map(|found| of(found, true)))
            .or_else(|| any().map(|found| of(found, false)))
    }

    fn collect_methods(&self, path: &str, allowed: &mut BTreeSet<String>) {
        for (method, paths) in &self.methods {
            if paths.find(path).is_some() {
                allowed.insert(method.clone());
                if method == Method::GET.as_str() {
                    allowed.insert(Method::HEAD.to_string());
                }
            }
        }
    }
}

impl Paths {
    fn insert(&mut self, method: &str, path: &str, target: &Arc<Target>) -> Result<(), Conflict> {
        let route = || format!("{method} {path}").trim_start().to_owned();
        match self.trie.insert(path, Arc::clone(target)) {
            Ok(()) => {
                self.owners.insert(path.to_owned(), target.owner().name());
                Ok(())
            }
            Err(InsertError::Conflict { with }) => Err(Conflict {
                route: route(),
                rejected: target.owner().name(),
                owner: self.owners.get(&with).cloned().unwrap_or_default(),
                path: with,
            }),
            Err(malformed) => unreachable!("a RoutePattern's path is one that matchit takes: {malformed}"),
        }
    }

    fn find(&self, path: &str) -> Option<(&Arc<Target>, Params)> {
        let found = self.trie.at(path).ok()?;
        let params = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((found.value, params.collect()))
    }
}

#[cfg(test)]
mod tests {
    use fezz_manifest::path::{PARAMETERS_MAX, parse_path};

    #[test]
    fn each_path_that_a_manifest_may_have_is_one_that_matchit_takes() {
        let most: String = (0..PARAMETERS_MAX).map(|n| format!("/{{p{n}}}")).collect();
        let with_rest: String = (1..PARAMETERS_MAX).map(|n| format!("/:p{n}")).collect::<String>() + "/*";
        let long = format!("/{}/:{}", "x".repeat(100_000), "y".repeat(100_000));
        for path in ["/", "/*", "/{-}/_/", "/%7B/%7D", "/a:b/é", "/:a/b/:c/", &most, &with_rest, &long] {
            let pattern = parse_path(path).unwrap();
            assert_eq!(matchit::Router::new().insert(pattern.clone(), ()), Ok(()), "{pattern}");
        }
    }
}
