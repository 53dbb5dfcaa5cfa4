//! What the host says about a function before any request.

use crate::FezzError;
use fezz_wire::abi;
use std::collections::BTreeMap;

/// The function that is loaded, and its variables: the argument of `on_load` of
/// [`#[fezz_function]`](crate::fezz_function).
///
/// The host makes it; a unit test makes its own: `LoadContext::new().with_env("LIMIT", "10")`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadContext {
    function: String,
    version: String,
    env: BTreeMap<String, String>,
}

impl LoadContext {
    /// A context for a test: everything is called `test`, and there are no variables.
    #[expect(clippy::new_without_default, reason = "a default context would be one that no host has given")]
    pub fn new() -> Self {
        Self { function: "test".to_owned(), version: "test".to_owned(), env: BTreeMap::new() }
    }

    pub(crate) fn from_wire(wire: &abi::LoadContext<'_>) -> Self {
        let owned = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            function: wire.function.to_owned(),
            version: wire.version.to_owned(),
            env: wire.env.iter().map(owned).collect(),
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

    /// The variable of that name: one of the manifest's `env`. [`std::env::var`] has the same, but no unit test should
    /// set it there.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// The same variable, which the function can't do without.
    ///
    /// # Errors
    ///
    /// It isn't set; the error says where to write it.
    pub fn require_env(&self, name: &str) -> Result<&str, FezzError> {
        self.env(name).ok_or_else(|| FezzError::no_variable(name))
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
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }
}
