//! A resource: what a function connects to, by one URL.

use crate::names::NAME_CHARS_MAX;
use serde::Deserialize;
use std::fmt::{self, Debug, Formatter};
use url::{Host, Url};

/// The prefix of the variables that tell a function its resources: `FEZZ_RESOURCE_POSTGRES` for `postgres`.
pub const RESOURCE_PREFIX: &str = "FEZZ_RESOURCE_";

/// What stands before the name of a secret's file.
const SECRET_PREFIX: &str = "secret:";

/// The port of a URL that names none, by its scheme: those that IANA or the server's own documentation assigns.
const PORTS: [(&str, u16); 12] = [
    ("amqp", 5672),
    ("amqps", 5671),
    ("http", 80),
    ("https", 443),
    ("memcache", 11211),
    ("memcached", 11211),
    ("mysql", 3306),
    ("nats", 4222),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("rediss", 6379),
];

/// Parameters of a URL by which a client of Postgres would connect elsewhere (PostgreSQL's documentation, section
/// "Connection URIs").
const ELSEWHERE: [&str; 3] = ["host", "hostaddr", "port"];

/// A resource as a manifest has it: a URL, or `secret:FILE` for a URL in the file of a secret. `Debug` doesn't show a URL,
/// which may hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Resource(String);

/// Why a text is no URL of a resource. Continues after the key's name, and has nothing of the URL but its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// It can't be parsed.
    #[error(
        "is no URL ({0}): write `scheme://user:password@host:port/name`, with `%` codes for special characters"
    )]
    NotAUrl(url::ParseError),
    /// A character that no URL has (RFC 3986, section 2). Parsers differ in what they make of it: some leave it out.
    #[error("has the character U+{:04X}: write it as `{}`, or remove it", u32::from(*.0), percent_encoded(*.0))]
    Character(char),
    /// It has no host.
    #[error("has no host: write `scheme://host:port`")]
    NoHost,
    /// It leads to a Unix socket.
    #[error(
        "leads to a Unix socket, which no function can reach: its jail shows no file of this machine; let the server listen \
         on TCP, for instance on 127.0.0.1"
    )]
    UnixSocket,
    /// Its port isn't known.
    #[error("has no port, and its scheme has no known one: write it after the host")]
    NoPort,
    /// No connection can be made to port 0.
    #[error("has port 0: write the server's port")]
    PortZero,
    /// A parameter changes where the client connects.
    #[error(
        "has the parameter `{parameter}`: write host and port before the path, since only that port is allowed"
    )]
    Elsewhere {
        /// The parameter's name.
        parameter: &'static str,
    },
}

impl Resource {
    /// Of a text as it stands in a manifest.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The file of its secret, if its URL stands there.
    pub fn secret(&self) -> Option<&str> {
        self.0.strip_prefix(SECRET_PREFIX)
    }

    /// Its text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl Debug for Resource {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.secret().map_or("a URL", |_| &self.0))
    }
}

/// Whether a text may name a resource: lower case, digits and `_`, so that the variable of each name is its own.
pub fn is_resource(name: &str) -> bool {
    let is_allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    !name.is_empty() && RESOURCE_PREFIX.len() + name.len() <= NAME_CHARS_MAX && name.chars().all(is_allowed)
}

/// The variable that has the URL of the resource `name`.
pub fn variable(name: &str) -> String {
    format!("{RESOURCE_PREFIX}{}", name.to_ascii_uppercase())
}

/// The port to which a client of the resource at `url` connects.
///
/// # Errors
///
/// It is no URL, or leads to something other than one TCP port: see [`ResourceError`].
pub fn port(url: &str) -> Result<u16, ResourceError> {
    if let Some(character) = url.chars().find(|char| char.is_control() || *char == ' ') {
        return Err(ResourceError::Character(character));
    }
    let url = Url::parse(url).map_err(ResourceError::NotAUrl)?;
    if url.scheme().contains("unix") {
        return Err(ResourceError::UnixSocket);
    }
    match url.host() {
        // Postgres's way to name a socket: its folder, as `%2Frun`.
        Some(Host::Domain(host)) if host.contains('/') || host.to_ascii_lowercase().contains("%2f") => {
            return Err(ResourceError::UnixSocket);
        }
        None | Some(Host::Domain("")) => return Err(ResourceError::NoHost),
        Some(_) => {}
    }
    if let Some(parameter) = elsewhere(&url) {
        return Err(ResourceError::Elsewhere { parameter });
    }
    match url.port().or_else(|| known_port(url.scheme())) {
        Some(0) => Err(ResourceError::PortZero),
        Some(port) => Ok(port),
        None => Err(ResourceError::NoPort),
    }
}

fn percent_encoded(character: char) -> String {
    let mut bytes = [0; 4];
    character.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn elsewhere(url: &Url) -> Option<&'static str> {
    if !url.scheme().starts_with("postgres") {
        return None;
    }
    url.query_pairs().find_map(|(name, _)| ELSEWHERE.into_iter().find(|elsewhere| name == *elsewhere))
}

fn known_port(scheme: &str) -> Option<u16> {
    PORTS.iter().find(|(known, _)| *known == scheme).map(|(_, port)| *port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_the_url_or_else_of_its_scheme() {
        for (url, expected) in [
            ("postgres://u:p@db.internal/items", 5432),
            ("postgresql://db.internal:6000/items?sslmode=require", 6000),
            ("redis://:p@cache.internal/0", 6379),
            ("rediss://cache", 6379),
            ("memcached://cache", 11211),
            ("mysql://db", 3306),
            ("http://api.internal", 80),
            ("https://api.internal/v1", 443),
            ("https://api.internal:443/v1", 443),
            ("amqp://queue", 5672),
            ("nats://[::1]", 4222),
            ("other://db:7000", 7000),
        ] {
            assert_eq!(port(url), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_leads_to_no_one_port_is_refused_with_the_fix_and_without_the_url() {
        for (url, expected) in [
            ("hunter2", "is no URL (relative URL without a base): write"),
            ("postgres://u:hunter2@one,two:1,2/items", "is no URL (invalid port number)"),
            ("postgres:///hunter2", "has no host: write `scheme://host:port`"),
            ("redis+unix:///run/hunter2", "leads to a Unix socket"),
            ("unix:///run/hunter2", "leads to a Unix socket"),
            ("postgres://%2Frun%2Fhunter2/items", "leads to a Unix socket"),
            ("postgres://db/items?host=/run/hunter2", "has the parameter `host`"),
            ("postgres://db/items?port=1&password=hunter2", "has the parameter `port`"),
            ("hunter2:secret", "has no host"),
            ("other://hunter2", "has no port, and its scheme has no known one"),
            ("redis://cache:0", "has port 0"),
            ("redis://hunter2:79\n99", "has the character U+000A: write it as `%0A`"),
            ("redis://hunter2\t:79", "has the character U+0009"),
            ("postgres://db/hunter2\u{7f}", "has the character U+007F"),
            (" redis://hunter2", "has the character U+0020: write it as `%20`, or remove it"),
        ] {
            let sentence = port(url).unwrap_err().to_string();
            assert!(sentence.starts_with(expected) && !sentence.contains("hunter2"), "{url}: {sentence}");
        }
    }

    #[test]
    fn the_variable_of_a_name_is_that_of_no_other() {
        assert!(["postgres", "db_2"].into_iter().all(is_resource));
        assert!(!["", "Postgres", "a-b", &"x".repeat(51)].into_iter().any(is_resource));
        assert_eq!(variable("db_2"), "FEZZ_RESOURCE_DB_2");
    }

    #[test]
    fn debug_shows_no_url() {
        let shown = |text: &str| format!("{:?}", Resource(text.to_owned()));
        assert_eq!([shown("redis://:hunter2@cache"), shown("secret:db-url")], ["a URL", "secret:db-url"]);
    }
}
