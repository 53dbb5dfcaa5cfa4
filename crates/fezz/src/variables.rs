//! A function's variables and resources.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};

/// Variables by name. `Debug` shows the names alone: a value may be a secret, and an author may log a context.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The URL of the resource `name`.
    pub(crate) fn resource(&self, name: &str) -> Option<&str> {
        self.get(&resource_variable(name))
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    #[cfg(feature = "server")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The variable by which the host tells the URL of the resource `name` of a manifest.
pub(crate) fn resource_variable(name: &str) -> String {
    format!("FEZZ_RESOURCE_{}", name.to_ascii_uppercase())
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Debug for Variables {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::{FunctionContext, LoadContext};

    #[test]
    fn a_context_in_a_log_has_no_value_of_a_variable() {
        let request =
            FunctionContext::new().with_env("KEY", "hunter2").with_resource("redis", "redis://:hunter2@c");
        let load = LoadContext::new().with_env("KEY", "hunter2").with_resource("redis", "redis://:hunter2@c");
        for shown in [format!("{request:?}"), format!("{load:?}")] {
            assert!(shown.contains("\"KEY\"") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_resource_is_found_by_its_name_in_the_manifest() {
        let request = FunctionContext::new().with_resource("db_2", "postgres://db");
        let load = LoadContext::new().with_resource("db_2", "postgres://db");
        assert_eq!([request.resource("db_2"), load.resource("db_2")], [Some("postgres://db"); 2]);
        assert_eq!(request.env("FEZZ_RESOURCE_DB_2"), Some("postgres://db"));
        let error = load.require_resource("redis").unwrap_err().to_string();
        assert_eq!(error, "the resource `redis` isn't there: write it into `resources` of fezz.json");
    }
}
