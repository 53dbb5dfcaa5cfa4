//! Which route wins: routes by their methods and paths, without their hosts.
//!
//! A route for the method wins over one for any method, whatever their paths. For one method, the more exact path wins:
//! [`Paths`] says how. Host, control plane and tools have this rule from here.

mod params;
mod paths;

pub use params::{NotText, Params, decode};
pub use paths::Paths;

use std::collections::{BTreeSet, HashMap};

/// Routes with a value each. Each method has paths of its own, so that a narrow pattern for GET and a wider one for POST
/// can both match one path.
#[derive(Debug)]
pub struct Table<T> {
    methods: HashMap<String, Paths<T>>,
    any_method: Paths<T>,
}

/// A route that a table has already.
#[derive(Debug)]
pub struct Taken<'a, T> {
    /// Its method; empty for any.
    pub method: &'a str,
    /// Its path: the names of its parameters may differ from the new one's.
    pub path: String,
    /// What it leads to.
    pub value: T,
}

/// A route that matches.
#[derive(Debug)]
pub struct Match<'a, T> {
    /// What it leads to.
    pub value: &'a T,
    /// Of its path.
    pub params: Params,
    /// Whether the route is for GET, though the request is HEAD.
    pub is_get: bool,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { methods: HashMap::new(), any_method: Paths::default() }
    }
}

impl<T: Clone> Table<T> {
    /// Adds a route, for each of its methods that has no such path yet; no method stands for any. `path` is as
    /// [`parse_path`](crate::path::parse_path) returns it.
    ///
    /// # Errors
    ///
    /// The first method for which an earlier route has such a path.
    pub fn insert<'a>(&mut self, methods: &'a [String], path: &str, value: &T) -> Result<(), Taken<'a, T>> {
        if methods.is_empty() {
            return add(&mut self.any_method, "", path, value);
        }
        let mut added = Ok(());
        for method in methods {
            let paths = self.methods.entry(method.clone()).or_default();
            added = added.and(add(paths, method, path, value));
        }
        added
    }

    /// Adds a route of one method, or of any if `method` is empty. Returns what the route led to that had the method and
    /// such a path.
    pub fn replace(&mut self, method: &str, path: &str, value: T) -> Option<T> {
        let paths = match method {
            "" => &mut self.any_method,
            method => self.methods.entry(method.to_owned()).or_default(),
        };
        paths.replace(path, value)
    }

    /// Removes the route of a method, or of any if `method` is empty, whose path is `path` but for the names of parameters.
    pub fn remove(&mut self, method: &str, path: &str) -> Option<T> {
        if method.is_empty() {
            return self.any_method.remove(path);
        }
        let paths = self.methods.get_mut(method)?;
        let removed = paths.remove(path);
        if paths.is_empty() {
            self.methods.remove(method);
        }
        removed
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.any_method.is_empty() && self.methods.values().all(Paths::is_empty)
    }

    /// The route for the method, else for GET where the method is HEAD, else for any method.
    pub fn find(&self, method: &str, path: &str) -> Option<Match<'_, T>> {
        let own = self.methods.get(method).and_then(|paths| paths.find(path));
        let any = || self.any_method.find(path);
        // HEAD is GET without the body (RFC 9110, section 9.3.2), which the host leaves out.
        let get = || self.methods.get("GET")?.find(path);
        let get = || if method == "HEAD" { get() } else { None };
        let of = |(value, params), is_get| Match { value, params, is_get };
        own.map(|found| of(found, false))
            .or_else(|| get().map(|found| of(found, true)))
            .or_else(|| any().map(|found| of(found, false)))
    }

    /// Adds the methods that have a route for the path.
    pub fn collect_methods(&self, path: &str, allowed: &mut BTreeSet<String>) {
        for (method, paths) in &self.methods {
            if paths.find(path).is_some() {
                allowed.insert(method.clone());
                if method == "GET" {
                    allowed.insert("HEAD".to_owned());
                }
            }
        }
    }
}

fn add<'a, T: Clone>(
    paths: &mut Paths<T>,
    method: &'a str,
    path: &str,
    value: &T,
) -> Result<(), Taken<'a, T>> {
    let taken = |(path, value): (&str, &T)| Taken { method, path: path.to_owned(), value: value.clone() };
    paths.insert(path, value.clone()).map_err(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, &str)]) -> Table<String> {
        let mut table = Table::default();
        for (method, path) in routes {
            assert_eq!(table.replace(method, path, format!("{method} {path}")), None);
        }
        table
    }

    #[test]
    fn the_method_counts_before_the_path() {
        let table = table(&[("GET", "/{*rest}"), ("", "/a"), ("POST", "/b")]);
        let check = |method, path, expected: Option<(&str, bool)>| {
            let found = table.find(method, path);
            assert_eq!(found.as_ref().map(|found| (found.value.as_str(), found.is_get)), expected);
        };
        check("GET", "/a", Some(("GET /{*rest}", false)));
        check("HEAD", "/a", Some(("GET /{*rest}", true)));
        check("POST", "/a", Some((" /a", false)));
        check("get", "/b", None);
        let mut allowed = BTreeSet::new();
        table.collect_methods("/b", &mut allowed);
        assert_eq!(allowed.into_iter().collect::<Vec<_>>(), ["GET", "HEAD", "POST"]);
    }

    #[test]
    fn a_route_is_removed_or_replaced_for_its_method_alone() {
        let mut table = table(&[("GET", "/{a}"), ("POST", "/{b}"), ("", "/{c}")]);
        let methods = ["GET".to_owned(), "PUT".to_owned()];
        let taken = table.insert(&methods, "/{d}", &String::new()).unwrap_err();
        assert_eq!((taken.method, &*taken.path, &*taken.value), ("GET", "/{a}", "GET /{a}"));
        assert_eq!(table.replace("GET", "/{d}", "new".to_owned()).as_deref(), Some("GET /{a}"));
        assert_eq!(table.remove("GET", "/{e}").as_deref(), Some("new"));
        assert_eq!(table.remove("GET", "/{e}"), None);
        assert_eq!(table.find("GET", "/1").unwrap().value, " /{c}");
        assert_eq!(table.remove("", "/{x}").as_deref(), Some(" /{c}"));
        assert_eq!(table.find("POST", "/1").unwrap().value, "POST /{b}");
    }
}
