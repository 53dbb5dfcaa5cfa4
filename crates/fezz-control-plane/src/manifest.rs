//! What a cluster knows of a function.

use fezz_manifest::method::is_method;
use fezz_manifest::names::{NAME_CHARS_MAX, NameError, check_name};
use fezz_manifest::path::{PathError, parse_path};
use fezz_manifest::range;
use serde::{Deserialize, Serialize};

/// A function's manifest with values of its own, as a program makes it and a store keeps it.
///
/// Its JSON has the fields' names. Keys that are unknown are ignored: a newer version wrote them.
///
/// ```
/// use fezz_control_plane::OwnedFunctionManifest;
///
/// let manifest = OwnedFunctionManifest::new("todos", "v1", "GET", "/todos/{id}").timeout(5);
/// assert_eq!(manifest.check(), Ok(()));
/// let manifest = OwnedFunctionManifest::new("todos", "v1", "get", "/todos");
/// let error = manifest.check().unwrap_err();
/// assert_eq!(error.to_string(), "the method `get` is not valid: write it in upper case, for instance \"GET\"");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedFunctionManifest {
    /// Names the function in the whole cluster.
    pub id: String,
    /// Which release of the function it is.
    pub version: String,
    /// The method of its route; `*` or an empty text for any.
    pub method: String,
    /// The path of its route, in either notation: `/todos/{id}`, `/todos/:id`.
    pub path: String,
    /// From admission to the end of the request, in whole seconds.
    #[serde(default = "timeout_default")]
    pub timeout: u64,
    /// For people.
    #[serde(default)]
    pub description: String,
}

/// As for every function of a host without a timeout of its own.
const TIMEOUT_DEFAULT: u64 = 30;

fn timeout_default() -> u64 {
    TIMEOUT_DEFAULT
}

/// What is wrong with a manifest, in one sentence that says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// The id or the version.
    #[error(
        "key `{key}` is `{value}`, which {fault}: use letters, digits, `_`, `.` and `-`, beginning with a letter or \
         digit, up to {NAME_CHARS_MAX}"
    )]
    BadName {
        /// `id` or `version`.
        key: &'static str,
        /// The value.
        value: String,
        /// The rule that it breaks.
        fault: NameError,
    },
    /// No method of HTTP.
    #[error(transparent)]
    Method(#[from] BadMethod),
    /// The path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The timeout.
    #[error("key `timeout` is {timeout} seconds: it must be 1 to {}, an hour", TIMEOUT_MAX)]
    BadTimeout {
        /// In seconds.
        timeout: u64,
    },
}

/// A text is no method of HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the method `{method}` is not valid: write it in upper case, for instance \"GET\"")]
pub struct BadMethod {
    /// The text.
    pub method: String,
}

const TIMEOUT_MAX: u64 = range::TIMEOUT_MS.most / 1000;

impl OwnedFunctionManifest {
    /// A manifest with a timeout of 30 seconds and no description. [`check`](Self::check) tells whether the values are
    /// valid.
    pub fn new(
        id: impl Into<String>,
        version: impl Into<String>,
        method: impl Into<String>,
        path: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            version: version.into(),
            method: method.into(),
            path: path.into(),
            timeout: TIMEOUT_DEFAULT,
            description: String::new(),
        }
    }

    /// Sets the timeout, in whole seconds.
    #[must_use]
    pub fn timeout(mut self, seconds: u64) -> Self {
        self.timeout = seconds;
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Checks the values by the rules of `fezz.json`.
    ///
    /// # Errors
    ///
    /// The first value that breaks one.
    pub fn check(&self) -> Result<(), InvalidManifest> {
        for (key, value) in [("id", &self.id), ("version", &self.version)] {
            check_name(value).map_err(|fault| InvalidManifest::BadName {
                key,
                value: value.clone(),
                fault,
            })?;
        }
        // `*` is a method by the rule for tokens, too.
        if !self.method.is_empty() && !is_method(&self.method) {
            return Err(BadMethod { method: self.method.clone() }.into());
        }
        parse_path(&self.path)?;
        let is_allowed = range::TIMEOUT_MS.check(self.timeout.saturating_mul(1000)).is_ok();
        if is_allowed { Ok(()) } else { Err(InvalidManifest::BadTimeout { timeout: self.timeout }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn valid() -> OwnedFunctionManifest {
        OwnedFunctionManifest::new("f", "v1", "GET", "/f")
    }

    #[test]
    fn its_json_has_defaults_and_ignores_the_keys_of_a_newer_version() {
        let json = json!({"id": "f", "version": "v1", "method": "GET", "path": "/f", "newer": [1]});
        assert_eq!(serde_json::from_value::<OwnedFunctionManifest>(json).unwrap(), valid());
        let complete = valid().timeout(5).description("text");
        let json = serde_json::to_value(&complete).unwrap();
        let expected = json!({"id": "f", "version": "v1", "method": "GET", "path": "/f", "timeout": 5,
                              "description": "text"});
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<OwnedFunctionManifest>(json).unwrap(), complete);
    }

    #[test]
    fn any_method_is_a_star_or_nothing() {
        for method in ["*", "", "PURGE"] {
            assert_eq!(OwnedFunctionManifest { method: method.to_owned(), ..valid() }.check(), Ok(()));
        }
    }

    #[test]
    fn a_value_that_fezz_json_could_not_have_is_named_with_the_fix() {
        let check = |manifest: OwnedFunctionManifest, expected: &str| {
            let error = manifest.check().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        let text = str::to_owned;
        check(
            OwnedFunctionManifest { id: text("a b"), ..valid() },
            "key `id` is `a b`, which holds ' ': use",
        );
        check(
            OwnedFunctionManifest { version: text(""), ..valid() },
            "key `version` is ``, which is empty: use",
        );
        check(OwnedFunctionManifest { method: text("get"), ..valid() }, "the method `get` is not valid");
        check(OwnedFunctionManifest { path: text("f"), ..valid() }, "the path `f` doesn't begin with `/`");
        check(valid().timeout(0), "key `timeout` is 0 seconds: it must be 1 to 3600, an hour");
        check(valid().timeout(u64::MAX), "key `timeout` is 18446744073709551615 seconds");
        assert_eq!(valid().timeout(3600).check(), Ok(()));
    }
}
