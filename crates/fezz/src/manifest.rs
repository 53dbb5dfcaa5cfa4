//! What a function's attribute says, as a value.

use crate::{FezzError, FezzRequest, FezzResponse, LoadContext};
use std::time::Duration;

/// What `#[fezz_function]` was given, with its defaults: `HELLO_MANIFEST` of the function `hello`. The module's section
/// `.fezz.manifest` says the same.
///
/// ```
/// use fezz::prelude::*;
/// use std::time::Duration;
///
/// #[fezz_function(id = "hello-world", path = "/api/hello", timeout = "250ms")]
/// fn hello(_: FezzRequest) -> &'static str {
///     "hello"
/// }
///
/// let manifest = HelloFunction::new().manifest();
/// assert_eq!((manifest.id, manifest.version, manifest.description), ("hello-world", "v1", ""));
/// assert_eq!((manifest.routes[0].path, manifest.routes[0].methods), ("/api/hello", &["GET"][..]));
/// assert_eq!((manifest.method, manifest.path), ("GET", "/api/hello"));
/// assert_eq!((manifest.timeout, HELLO_MANIFEST.deadline), (1, Duration::from_millis(250)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionManifest {
    /// The function's name.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// The first method of its first route; `*` for any.
    pub method: &'static str,
    /// The pattern of its first route: `/api/todos/{id}`.
    pub path: &'static str,
    /// The time that a request may take, in seconds, rounded up.
    pub timeout: u64,
    /// All of its routes, as in `fezz.json`.
    pub routes: &'static [FunctionRoute],
    /// The same time, exactly: from admission to the end of the call.
    pub deadline: Duration,
}

/// A path that leads to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionRoute {
    /// The pattern: `/api/todos/{id}`.
    pub path: &'static str,
    /// The methods; empty for any.
    pub methods: &'static [&'static str],
}

/// A function with its attribute: `HelloFunction` of the function `hello`. The attributes implement it, for
/// the module `testing` and for programs that serve functions.
pub trait Function {
    /// What the attribute says.
    fn manifest(&self) -> &'static FunctionManifest;

    /// Calls the attribute's `on_load`, if it has one, and builds an app.
    ///
    /// # Errors
    ///
    /// That of `on_load`.
    fn on_load(&self, context: &LoadContext) -> Result<(), FezzError>;

    /// Answers a request as in the host: reads what the function takes, calls it, makes the response.
    fn call(&self, request: FezzRequest) -> FezzResponse;

    /// Calls the attribute's `on_unload`, if it has one.
    fn on_unload(&self) {}
}
