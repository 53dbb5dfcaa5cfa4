//! What the host says about a function before any request.

use crate::FezzError;
use crate::variables::{Variables, resource_variable};
use fezz_wire::abi;

/// The function that is loaded, and its variables: the argument of `on_load` of
/// [`#[fezz_function]`](crate::fezz_function).
///
/// The host makes it; a unit test makes its own: `LoadContext::new().with_env("LIMIT", "10")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadContext {
    function: String,
    version: String,
    env: Variables,
}

impl LoadContext {
    /// A context for a test: everything is called `test`, and there are no variables.
    #[expect(clippy::new_without_default, reason = "a default context would be one that no host has given")]
    pub fn new() -> Self {
        Self { function: "test".to_owned(), version: "test".to_owned(), env: Variables::default() }
    }

    pub(crate) fn from_wire(wire: &abi::LoadContext<'_>) -> Self {
        Self {
            function: wire.function.to_owned(),
            version: wire.version.to_owned(),
            env: wire.env.iter().map(|(name, value)| (*name, *value)).collect(),
        }
    }

    /// The function's id.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The function's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The variable of that name: one of the manifest's `env` or `secrets`. [`std::env::var`] has the same, but no unit test should
    /// set it there.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name)
    }

    /// The same variable, which the function can't do without.
    ///
    /// # Errors
    ///
    /// It isn't set; the error says where to write it.
    pub fn require_env(&self, name: &str) -> Result<&str, FezzError> {
        self.env(name).ok_or_else(|| FezzError::no_variable(name))
    }

    /// The URL of the resource of that name, one of the manifest's `resources`: `ctx.resource("postgres")`. The variable
    /// `FEZZ_RESOURCE_POSTGRES` has the same.
    pub fn resource(&self, name: &str) -> Option<&str> {
        self.env.resource(name)
    }

    /// The same URL, which the function can't do without.
    ///
    /// # Errors
    ///
    /// The manifest has no such resource; the error says where to write it.
    pub fn require_resource(&self, name: &str) -> Result<&str, FezzError> {
        self.resource(name).ok_or_else(|| FezzError::no_resource(name))
    }
}

/// What a test changes in its context.
impl LoadContext {
    /// Sets the function's id and version.
    #[must_use]
    pub fn with_function(mut self, id: &str, version: &str) -> Self {
        self.function = id.to_owned();
        self.version = version.to_owned();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.set(name, value);
        self
    }

    /// Sets the URL of a resource.
    #[must_use]
    pub fn with_resource(self, name: &str, url: &str) -> Self {
        self.with_env(&resource_variable(name), url)
    }
}
