//! What a function is told of an admitted request, and its encoding as the message to a process.

use crate::admitted::AdmittedRequest;
use crate::headers::HopByHop;
use crate::identity::{Identity, REQUEST_ID, TRACEPARENT};
use bytes::Bytes;
use fezz_wire::{FezzWireRequest, Meta};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName};
use tokio::time::Instant;

pub use crate::route::authority;

/// The scheme of the client's connection, from the proxy in front.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Encodes all of the message but the body's bytes, which follow it. Where failed requests are recorded, it is kept as it
/// is sent.
pub fn encode_head(request: &AdmittedRequest) -> Bytes {
    let encoded = with_message(request, |message| Bytes::from(message.encode_head(message.body.len())));
    if let Some(kept) = &request.kept {
        kept.set_head(encoded.clone());
    }
    encoded
}

/// The same in another form than CBOR, by `encode`.
pub fn encode_with(request: &AdmittedRequest, encode: impl FnOnce(&FezzWireRequest<'_>) -> Vec<u8>) -> Bytes {
    if request.kept.is_some() {
        // Failed requests are recorded in CBOR, whatever their worker takes.
        encode_head(request);
    }
    with_message(request, |message| Bytes::from(encode(message)))
}

/// Calls `encode` with what a function is told of a request.
fn with_message<T>(request: &AdmittedRequest, encode: impl FnOnce(&FezzWireRequest<'_>) -> T) -> T {
    let facts = &request.facts;
    let head = &facts.head;
    let headers = passed_headers(&head.headers, &facts.identity);
    let authority = authority(head);
    let client_ip = facts.client_ip.map(|ip| ip.to_string());
    let left = facts.deadline.saturating_duration_since(Instant::now());
    encode(&FezzWireRequest {
        method: head.method.as_str(),
        uri: head.uri.path_and_query().map_or("/", PathAndQuery::as_str),
        authority: authority.as_deref(),
        scheme: Some(scheme(&head.headers)),
        headers,
        params: facts.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        body: &request.body.bytes,
        meta: Meta {
            request_id: &facts.identity.request_id,
            function: &facts.function.release.id,
            version: &facts.function.release.version,
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            client_ip: client_ip.as_deref(),
            original_uri: facts.original_uri.as_ref().map(PathAndQuery::as_str),
        },
    })
}

/// The headers that a function sees, in order: the client's without those of its connection, and the request's id and trace.
pub fn passed_headers<'a>(headers: &'a HeaderMap, identity: &'a Identity) -> Vec<(&'a str, &'a [u8])> {
    let hop_by_hop = HopByHop::of_message(headers);
    // One list: a client's own header of such a name is not passed.
    let made = [(&REQUEST_ID, &identity.request_id), (&TRACEPARENT, &identity.traceparent)];
    let is_made = |name: &HeaderName| made.iter().any(|(made, _)| *made == name);
    let mut passed = Vec::with_capacity(headers.len() + made.len());
    let of_client = headers.iter().filter(|(name, _)| !hop_by_hop.holds(name) && !is_made(name));
    passed.extend(of_client.map(|(name, value)| (name.as_str(), value.as_bytes())));
    passed.extend(made.map(|(name, text)| (name.as_str(), text.as_bytes())));
    passed
}

/// `http`, or what the proxy in front forwarded.
pub fn scheme(headers: &HeaderMap) -> &str {
    let forwarded = headers.get(FORWARDED_PROTO).and_then(|value| value.to_str().ok());
    forwarded.filter(|scheme| ["http", "https"].contains(scheme)).unwrap_or("http")
}
