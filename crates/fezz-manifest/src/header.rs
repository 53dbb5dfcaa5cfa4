//! The headers that a manifest adds to responses, and those that it can't.

use crate::error::ManifestError;
use http::header::{self, HeaderName};
use std::collections::BTreeMap;

/// Headers that belong to one connection, and are not passed on (RFC 9110, section 7.6.1).
pub const HOP_BY_HOP: [HeaderName; 12] = [
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

/// Headers of a response that the host alone sets.
pub const HOSTS_OWN: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("fezz-error"),
];

/// Headers that are true of one body alone, which a manifest doesn't know.
const OF_ONE_BODY: [HeaderName; 2] = [header::CONTENT_ENCODING, header::CONTENT_RANGE];

/// The most bytes of a manifest's headers, names and values together: an eighth of what a response may have, since they are
/// added to what the function sends.
pub(crate) const BYTES_MAX: usize = 8 * 1024;

/// Checks `response_headers`: each name and value is one of HTTP, no name is there in two cases, and none is the
/// connection's, the host's or of one body.
pub(crate) fn check(headers: &BTreeMap<String, String>) -> Result<(), ManifestError> {
    let mut seen = BTreeMap::new();
    for (name, value) in headers {
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed = parsed.map_err(|_| ManifestError::BadHeader { name: name.clone() })?;
        if HOP_BY_HOP.contains(&parsed) || HOSTS_OWN.contains(&parsed) {
            return Err(ManifestError::HostsHeader { name: name.clone() });
        }
        if OF_ONE_BODY.contains(&parsed) {
            return Err(ManifestError::BodysHeader { name: name.clone() });
        }
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            return Err(ManifestError::SameHeader { one: other.clone(), other: name.clone() });
        }
        if !value.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(ManifestError::BadHeaderValue { name: name.clone() });
        }
        if value.trim_matches([' ', '\t']) != value {
            return Err(ManifestError::PaddedHeaderValue { name: name.clone() });
        }
    }
    let bytes = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > BYTES_MAX { Err(ManifestError::LongHeaders { bytes }) } else { Ok(()) }
}
