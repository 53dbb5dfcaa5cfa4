//! One route of a manifest: as it is written ([`Route`]), and as it is checked ([`RoutePattern`]).

use crate::method::is_method;
use crate::path::{PathError, parse_path};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use std::fmt;

/// One path that leads to a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// `/api/todos/{id}`, `/files/{*rest}`; as an older notation `/api/todos/:id` and a final `*`. No segment is empty, `.` or
    /// `..`; a `/` at the end counts.
    pub path: String,
    /// One method, or several. Left out: any.
    #[serde(default)]
    pub method: Methods,
    /// The hosts for which the route holds: `api.example.com`, `*.example.com`. Left out: any.
    #[serde(default)]
    pub domains: Vec<String>,
}

/// One method or several; none stands for any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Methods(pub Vec<String>);

/// A route, checked and in one notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePattern {
    /// As [`parse_path`] returns it: `/files/{id}/{*rest}`.
    pub path: String,
    /// Each as [`is_method`] demands. Empty stands for any.
    pub methods: Vec<String>,
    /// Empty stands for any.
    pub domains: Vec<Domain>,
}

/// A host in a route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `api.example.com`, in lower case.
    Exact(String),
    /// `*.example.com`, kept as `.example.com`: any host that ends so.
    Below(String),
}

/// What is wrong with a route, in one sentence that says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Its path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// No method of HTTP.
    #[error("the method `{method}` is not valid: write it in upper case, for instance \"GET\"")]
    BadMethod {
        /// As in the manifest.
        method: String,
    },
    /// No name of a host.
    #[error(
        "the domain `{domain}` is not valid: write a host name without scheme and port, or `*.` before one"
    )]
    BadDomain {
        /// As in the manifest.
        domain: String,
    },
}

impl RoutePattern {
    /// Checks a route and brings it into one notation.
    ///
    /// # Errors
    ///
    /// The first thing wrong with it.
    pub fn new(route: &Route) -> Result<Self, PatternError> {
        Ok(Self {
            path: parse_path(&route.path)?,
            methods: route.method.0.iter().map(|method| parse_method(method)).collect::<Result<_, _>>()?,
            domains: route.domains.iter().map(|domain| parse_domain(domain)).collect::<Result<_, _>>()?,
        })
    }
}

fn parse_method(method: &str) -> Result<String, PatternError> {
    let method = method.to_owned();
    if is_method(&method) { Ok(method) } else { Err(PatternError::BadMethod { method }) }
}

fn parse_domain(domain: &str) -> Result<Domain, PatternError> {
    let lower = domain.to_ascii_lowercase();
    let (is_below, host) = match lower.strip_prefix("*.") {
        Some(host) => (true, host),
        None => (false, lower.as_str()),
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char))
    };
    if !host.split('.').all(is_label) {
        return Err(PatternError::BadDomain { domain: domain.to_owned() });
    }
    Ok(if is_below { Domain::Below(format!(".{host}")) } else { Domain::Exact(lower) })
}

impl JsonSchema for Methods {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Methods".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
        })
    }
}

impl<'de> Deserialize<'de> for Methods {
    /// A string or an array of strings; serde's untagged enums would say only that nothing matched.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Methods;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a method or a list of methods")
            }

            fn visit_str<E: de::Error>(self, method: &str) -> Result<Methods, E> {
                Ok(Methods(vec![method.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut methods: A) -> Result<Methods, A::Error> {
                let mut found = Vec::new();
                while let Some(method) = methods.next_element()? {
                    found.push(method);
                }
                if found.is_empty() {
                    return Err(de::Error::invalid_length(0, &"a method, or no key at all for any"));
                }
                Ok(Methods(found))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_hosts_with_or_without_a_leading_star() {
        assert_eq!(parse_domain("API.example.com"), Ok(Domain::Exact("api.example.com".to_owned())));
        assert_eq!(parse_domain("*.example.com"), Ok(Domain::Below(".example.com".to_owned())));
        for bad in ["", "https://a", "a:80", "a..b", "*", "a.*.b"] {
            assert!(parse_domain(bad).is_err(), "{bad}");
        }
    }
}
