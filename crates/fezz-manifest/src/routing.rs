//! Which route wins: routes by their methods and paths, without their hosts.

use matchit::InsertError;
use std::collections::{BTreeSet, HashMap};

/// Routes with a value each. Each method has a trie, so that a narrow pattern for GET and a wider one for POST can both
/// match one path.
#[derive(Debug)]
pub struct Table<T> {
    methods: HashMap<String, Paths<T>>,
    any_method: Paths<T>,
}

/// Patterns of paths with a value each.
#[derive(Debug)]
pub struct Paths<T> {
    /// Leads to an index of `patterns`.
    trie: matchit::Router<usize>,
    patterns: Vec<(String, T)>,
}

/// A path that conflicts with an earlier one.
#[derive(Debug)]
pub struct Taken<'a, T> {
    /// The method for which it does; empty for any.
    pub method: &'a str,
    /// The earlier path.
    pub path: String,
    /// The earlier path's value, if matchit names the path as it was inserted.
    pub value: Option<T>,
}

/// Parameters as they stand in the path, still percent-encoded.
pub type Params = Vec<(String, String)>;

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
            return self.any_method.insert("", path, value);
        }
        let mut added = Ok(());
        for method in methods {
            let paths = self.methods.entry(method.clone()).or_default();
            added = added.and(paths.insert(method, path, value));
        }
        added
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

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { trie: matchit::Router::new(), patterns: Vec::new() }
    }
}

impl<T: Clone> Paths<T> {
    /// Adds a path, as [`parse_path`](crate::path::parse_path) returns it.
    ///
    /// # Errors
    ///
    /// An earlier path conflicts with it. `method` is for the error alone.
    pub fn insert<'a>(&mut self, method: &'a str, path: &str, value: &T) -> Result<(), Taken<'a, T>> {
        match self.trie.insert(path, self.patterns.len()) {
            Ok(()) => {
                self.patterns.push((path.to_owned(), value.clone()));
                Ok(())
            }
            Err(InsertError::Conflict { with }) => {
                let earlier = self.patterns.iter().find(|(pattern, _)| *pattern == with);
                let value = earlier.map(|(_, value)| value.clone());
                Err(Taken { method, path: with, value })
            }
            Err(malformed) => unreachable!("parse_path returns what matchit takes: {malformed}"),
        }
    }

    /// The value of the path that matches, with its parameters.
    pub fn find(&self, path: &str) -> Option<(&T, Params)> {
        let found = self.trie.at(path).ok()?;
        let params = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some((&self.patterns[*found.value].1, params.collect()))
    }
}

#[cfg(test)]
mod tests {
    use crate::path::{PARAMETERS_MAX, parse_path};

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
