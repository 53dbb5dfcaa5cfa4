//! What a function's attribute says, as a value.

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
/// assert_eq!((manifest.methods, manifest.paths), (&["GET"][..], &["/api/hello"][..]));
/// assert_eq!(HELLO_MANIFEST.timeout, Duration::from_millis(250));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionManifest {
    /// The function's name.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One sentence for people.
    pub description: &'static str,
    /// The methods of all paths; empty for any.
    pub methods: &'static [&'static str],
    /// The paths of its routes, as in `fezz.json`.
    pub paths: &'static [&'static str],
    /// From admission to the end of the process.
    pub timeout: Duration,
}
