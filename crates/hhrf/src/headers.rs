//! Hop-by-hop headers: they belong to one connection and are not passed on (RFC 9110, section 7.6.1).

use fezz_manifest::header::HOP_BY_HOP;
use http::header::{self, HeaderMap, HeaderName};

/// Headers that `Connection` may not name, though the RFC allows it: a client could hide its own identity, or what the
/// proxy in front says about it, from a function.
const END_TO_END: [HeaderName; 5] =
    [header::HOST, header::AUTHORIZATION, header::COOKIE, header::CONTENT_TYPE, header::CONTENT_LENGTH];
const END_TO_END_PREFIXES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

/// More names than any client sends; the rest is left as it is.
const NAMED_MAX: usize = 32;

/// Decides which headers are not passed on.
#[derive(Debug)]
pub(crate) struct HopByHop {
    /// Headers that `Connection` names, besides the well-known ones.
    named: Vec<HeaderName>,
}

impl HopByHop {
    /// For a message with these `Connection` values.
    pub(crate) fn of<'a>(connection: impl Iterator<Item = &'a [u8]>) -> Self {
        let names = connection.flat_map(|value| value.split(|byte| *byte == b','));
        let names = names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
        Self { named: names.filter(|name| !is_end_to_end(name)).take(NAMED_MAX).collect() }
    }

    /// For a message with these headers.
    pub(crate) fn of_message(headers: &HeaderMap) -> Self {
        Self::of(headers.get_all(header::CONNECTION).iter().map(http::HeaderValue::as_bytes))
    }

    /// Whether `name` is not passed on.
    pub(crate) fn holds(&self, name: &HeaderName) -> bool {
        HOP_BY_HOP.contains(name) || self.named.contains(name)
    }
}

fn is_end_to_end(name: &HeaderName) -> bool {
    END_TO_END.contains(name) || END_TO_END_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
}
