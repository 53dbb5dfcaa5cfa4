//! A route.

use super::method::RouteMethod;
use crate::OwnedFunctionManifest;
use crate::manifest::BadMethod;
use fezz_manifest::path::{PathError, parse_path};

/// A method and a path that lead to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    method: RouteMethod,
    path: String,
    function: String,
    priority: i32,
}

/// What is wrong with a route, in one sentence that says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Its method.
    #[error(transparent)]
    Method(#[from] BadMethod),
    /// Its path.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Route {
    /// A route of priority 0. The path has `{name}` for one segment, and may end in `{*name}` for all that follows; `:name`
    /// and a final `*` are the older notation. For paths that stand in the program; for others there is
    /// [`parse`](Self::parse).
    ///
    /// # Panics
    ///
    /// The path is not valid. The message says why.
    pub fn new(method: RouteMethod, path: impl AsRef<str>, function: impl Into<String>) -> Self {
        match Self::with_method(method, path.as_ref(), function.into()) {
            Ok(route) => route,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same from texts of a configuration: `GET`, `PURGE`, or for any method `*`.
    ///
    /// # Errors
    ///
    /// The method or the path is not valid.
    pub fn parse(method: &str, path: &str, function: impl Into<String>) -> Result<Self, RouteError> {
        Ok(Self::with_method(method.parse()?, path, function.into())?)
    }

    fn with_method(method: RouteMethod, path: &str, function: String) -> Result<Self, PathError> {
        Ok(Self { method, path: parse_path(path)?, function, priority: 0 })
    }

    /// Sets the priority. Of the routes that match a request, one with the highest priority wins, however exact the others
    /// are. The default is 0.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The priority.
    pub fn get_priority(&self) -> i32 {
        self.priority
    }

    /// The method.
    pub fn method(&self) -> &RouteMethod {
        &self.method
    }

    /// The path, in the notation `/users/{id}/{*rest}`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The function to which it leads.
    pub fn function(&self) -> &str {
        &self.function
    }
}

/// The route of a function of a store, with the function's id.
impl TryFrom<&OwnedFunctionManifest> for Route {
    type Error = RouteError;

    fn try_from(manifest: &OwnedFunctionManifest) -> Result<Self, RouteError> {
        Self::parse(&manifest.method, &manifest.path, &*manifest.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_from_configuration_is_checked() {
        let route = Route::parse("*", "/a/:id/*", "f").unwrap().priority(-1);
        assert_eq!((route.method(), route.path()), (&RouteMethod::Any, "/a/{id}/{*rest}"));
        assert_eq!((route.function(), route.get_priority()), ("f", -1));
        let sentence = |method, path| Route::parse(method, path, "f").unwrap_err().to_string();
        assert!(sentence("get", "/a").starts_with("the method `get` is not valid"));
        assert_eq!(sentence("GET", "a"), "the path `a` doesn't begin with `/`: write `/a`");
    }

    #[test]
    #[should_panic(expected = "the path `/a//b` holds an empty segment")]
    fn a_route_in_the_program_with_an_invalid_path_panics() {
        let _ = Route::new(RouteMethod::Get, "/a//b", "f");
    }
}
