//! Hop-by-hop headers: they belong to one connection and are not passed on (RFC 9110, section 7.6.1).

use http::header::{self, HeaderMap, HeaderName};

const HOP_BY_HOP: [HeaderName; 12] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    // Between a client and the next proxy on its way (RFC 9110, sections 11.7.1 to 11.7.3), and a function is no proxy.
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::PROXY_AUTHORIZATION,
    // For an upgrade from HTTP/1.1 (RFC 7540, section 3.2.1; RFC 9113 does without).
    HeaderName::from_static("http2-settings"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // Not formally hop-by-hop, but the host answers it itself (RFC 9110, section 10.1.1).
    header::EXPECT,
];

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
