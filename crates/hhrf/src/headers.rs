//! Headers that belong to one connection, and therefore to nobody behind it (RFC 9110, section 7.6.1).

use http::header::{self, HeaderMap, HeaderName};

const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    // Not hop-by-hop by the letter, but answered by the host itself (RFC 9110, section 10.1.1).
    header::EXPECT,
];

/// Tells whether a header stops here.
#[derive(Debug)]
pub struct HopByHop {
    /// What `Connection` names beside the well-known ones.
    named: Vec<String>,
}

impl HopByHop {
    /// For a message with these `Connection` values.
    pub fn of<'a>(connection: impl Iterator<Item = &'a [u8]>) -> Self {
        let values = connection.map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
        Self { named: values.flat_map(|value| names(&value)).collect() }
    }

    /// For a request.
    pub fn of_request(headers: &HeaderMap) -> Self {
        Self::of(headers.get_all(header::CONNECTION).iter().map(http::HeaderValue::as_bytes))
    }

    /// Whether `name` goes no further.
    pub fn holds(&self, name: &HeaderName) -> bool {
        HOP_BY_HOP.contains(name) || self.named.iter().any(|named| named == name.as_str())
    }
}

fn names(value: &str) -> Vec<String> {
    value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
