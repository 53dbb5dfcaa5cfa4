//! A route of a manifest, checked and in one notation.

use super::manifest::Route;
use http::Method;
use percent_encoding::percent_decode_str;

/// One path with the methods and hosts for which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePattern {
    /// In matchit's notation: `/files/{id}/{*rest}`.
    pub path: String,
    /// Empty stands for any.
    pub methods: Vec<Method>,
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

/// What is wrong with a route. One sentence each, naming the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// No absolute path.
    #[error("the path `{path}` doesn't begin with `/`: write `/{path}`")]
    NotAbsolute {
        /// As in the manifest.
        path: String,
    },
    /// The host itself answers there.
    #[error("the path `{path}` belongs to the host, as does all below `/_` and `/rpc`: choose another")]
    Reserved {
        /// As in the manifest.
        path: String,
    },
    /// A query or fragment never is part of a path.
    #[error("the path `{path}` holds `{char}`: leave the query and fragment out")]
    NotAPath {
        /// As in the manifest.
        path: String,
        /// The character.
        char: char,
    },
    /// A segment that clients and proxies resolve before they send the path (RFC 3986, section 5.2.4).
    #[error(
        "the path `{path}` holds the segment `{segment}`, which clients and proxies resolve, so that it never matches: leave it out"
    )]
    DotSegment {
        /// As in the manifest.
        path: String,
        /// The segment, as it is written there.
        segment: String,
    },
    /// Two slashes side by side, which proxies merge.
    #[error(
        "the path `{path}` holds an empty segment, which proxies leave out: write one `/` instead of two"
    )]
    EmptySegment {
        /// As in the manifest.
        path: String,
    },
    /// A parameter is malformed.
    #[error(
        "the path `{path}` is malformed: write a parameter as a whole segment `{{name}}`, and `{{*name}}` only at the end"
    )]
    Malformed {
        /// As in the manifest.
        path: String,
    },
    /// Two parameters of one name.
    #[error("the path `{path}` has two parameters named `{name}`: rename one")]
    DuplicateParameter {
        /// As in the manifest.
        path: String,
        /// The name.
        name: String,
    },
    /// No method of HTTP.
    #[error("the method `{method}` is none: write it in capitals, for instance \"GET\"")]
    BadMethod {
        /// As in the manifest.
        method: String,
    },
    /// No name of a host.
    #[error("the domain `{domain}` is none: write a host name without scheme and port, or `*.` before one")]
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
            path: translate(&route.path)?,
            methods: route.method.0.iter().map(|method| parse_method(method)).collect::<Result<_, _>>()?,
            domains: route.domains.iter().map(|domain| parse_domain(domain)).collect::<Result<_, _>>()?,
        })
    }
}

/// `/a/:id/*` becomes `/a/{id}/{*rest}`; what is in that notation stays.
fn translate(path: &str) -> Result<String, PatternError> {
    let Some(relative) = path.strip_prefix('/') else {
        return Err(PatternError::NotAbsolute { path: path.to_owned() });
    };
    if let Some(char) = path.chars().find(|char| "?#".contains(*char) || char.is_control() || *char == ' ') {
        return Err(PatternError::NotAPath { path: path.to_owned(), char });
    }
    let first = relative.split('/').next().unwrap_or_default();
    if first == "rpc" || first.starts_with('_') {
        return Err(PatternError::Reserved { path: path.to_owned() });
    }
    let segments: Vec<&str> = relative.split('/').collect();
    let mut names = Vec::new();
    let mut translated = String::new();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        if is_dots(segment) {
            let segment = (*segment).to_owned();
            return Err(PatternError::DotSegment { path: path.to_owned(), segment });
        }
        // At the end it is a slash of its own: `/a/` and `/a` are two paths.
        if segment.is_empty() && !is_last {
            return Err(PatternError::EmptySegment { path: path.to_owned() });
        }
        translated.push('/');
        let segment = segment_pattern(segment, is_last);
        let segment = segment.ok_or_else(|| PatternError::Malformed { path: path.to_owned() })?;
        if let Segment::One(name) | Segment::Rest(name) = &segment {
            if names.contains(name) {
                return Err(PatternError::DuplicateParameter { path: path.to_owned(), name: name.clone() });
            }
            names.push(name.clone());
        }
        match segment {
            Segment::Literal(text) => translated.push_str(&text),
            Segment::One(name) => translated.push_str(&format!("{{{name}}}")),
            Segment::Rest(name) => translated.push_str(&format!("{{*{name}}}")),
        }
    }
    // The router's own opinion, so that it can't have another one later.
    match matchit::Router::new().insert(&translated, ()) {
        Ok(()) => Ok(translated),
        Err(_) => Err(PatternError::Malformed { path: path.to_owned() }),
    }
}

/// `.` or `..`, written out or percent-encoded, which is the same (RFC 3986, section 6.2.2.2).
fn is_dots(segment: &str) -> bool {
    let decoded = percent_decode_str(segment);
    decoded.clone().all(|byte| byte == b'.') && (1..=2).contains(&decoded.count())
}

enum Segment {
    Literal(String),
    One(String),
    Rest(String),
}

fn segment_pattern(segment: &str, is_last: bool) -> Option<Segment> {
    if segment == "*" {
        return is_last.then(|| Segment::Rest("rest".to_owned()));
    }
    if let Some(name) = segment.strip_prefix(':') {
        return is_parameter(name).then(|| Segment::One(name.to_owned()));
    }
    if let Some(inner) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return match inner.strip_prefix('*') {
            Some(name) => (is_last && is_parameter(name)).then(|| Segment::Rest(name.to_owned())),
            None => is_parameter(inner).then(|| Segment::One(inner.to_owned())),
        };
    }
    let literal = !segment.contains(['{', '}', '*']);
    literal.then(|| Segment::Literal(segment.to_owned()))
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
}

fn parse_method(method: &str) -> Result<Method, PatternError> {
    let bad = || PatternError::BadMethod { method: method.to_owned() };
    if method.is_empty() || method.chars().any(|char| char.is_ascii_lowercase()) {
        return Err(bad());
    }
    Method::from_bytes(method.as_bytes()).map_err(|_| bad())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<&str, &str>) {
        let found = translate(path).map_err(|error| error.to_string());
        match expected {
            Ok(pattern) => assert_eq!(found.as_deref(), Ok(pattern), "{path}"),
            Err(part) => {
                assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{path}: {found:?}")
            }
        }
    }

    #[test]
    fn both_notations_become_one_and_bad_paths_are_named() {
        check("/", Ok("/"));
        check("/api/todos/{id}", Ok("/api/todos/{id}"));
        check("/api/todos/:id/notes", Ok("/api/todos/{id}/notes"));
        check("/files/*", Ok("/files/{*rest}"));
        check("/files/{*path}", Ok("/files/{*path}"));
        check("hello", Err("write `/hello`"));
        check("/a?b", Err("holds `?`"));
        check("/rpc/x", Err("belongs to the host"));
        check("/_health", Err("belongs to the host"));
        check("/rpcs", Ok("/rpcs"));
        check("/a/{id", Err("malformed"));
        check("/a/{}", Err("malformed"));
        check("/{*rest}/a", Err("malformed"));
        check("/*/a", Err("malformed"));
        check("/a/", Ok("/a/"));
        check("/{id}/", Ok("/{id}/"));
        check("/a/...", Ok("/a/..."));
        check("/a/.b/c..", Ok("/a/.b/c.."));
        check("/.well-known/x", Ok("/.well-known/x"));
        check("//", Err("an empty segment"));
        check("//a", Err("an empty segment"));
        check("/a//", Err("an empty segment"));
        check("/a//{id}", Err("an empty segment"));
        check("/.", Err("the segment `.`"));
        check("/a/../b", Err("the segment `..`"));
        check("/a/%2e/b", Err("the segment `%2e`"));
        check("/a/.%2E", Err("the segment `.%2E`"));
        check("/a/:id/{id}", Err("two parameters named `id`"));
    }

    #[test]
    fn domains_are_hosts_with_or_without_a_leading_star() {
        assert_eq!(parse_domain("API.example.com"), Ok(Domain::Exact("api.example.com".to_owned())));
        assert_eq!(parse_domain("*.example.com"), Ok(Domain::Below(".example.com".to_owned())));
        for bad in ["", "https://a", "a:80", "a..b", "*", "a.*.b"] {
            assert!(parse_domain(bad).is_err(), "{bad}");
        }
    }
}
