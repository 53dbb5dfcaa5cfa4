//! Encodes an admitted request as the message to its function.

use crate::admitted::AdmittedRequest;
use crate::headers::HopByHop;
use crate::identity::{REQUEST_ID, TRACEPARENT};
use crate::route::authority;
use bytes::Bytes;
use fezz_wire::{FezzWireRequest, Meta};
use http::HeaderName;
use http::uri::PathAndQuery;
use tokio::time::Instant;

/// The scheme of the client's connection, from the proxy in front.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Encodes all of the message but the body's bytes, which follow it. Where failed requests are recorded, it is kept as it
/// is sent.
pub fn encode_head(request: &AdmittedRequest) -> Bytes {
    let head = &request.head;
    let hop_by_hop = HopByHop::of_message(&head.headers);
    // One list: a client's own header of such a name is not passed.
    let made = [(&REQUEST_ID, &request.identity.request_id), (&TRACEPARENT, &request.identity.traceparent)];
    let is_made = |name: &HeaderName| made.iter().any(|(made, _)| *made == name);
    let passed = head.headers.iter().filter(|(name, _)| !hop_by_hop.holds(name) && !is_made(name));
    let passed = passed.map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = passed.chain(made.map(|(name, text)| (name.as_str(), text.as_bytes()))).collect();

    let authority = authority(head);
    let client_ip = request.client_ip.map(|ip| ip.to_string());
    let left = request.deadline.saturating_duration_since(Instant::now());
    let message = FezzWireRequest {
        method: head.method.as_str(),
        uri: head.uri.path_and_query().map_or("/", PathAndQuery::as_str),
        authority: authority.as_deref(),
        scheme: Some(scheme(request)),
        headers,
        params: request.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        body: &[],
        meta: Meta {
            request_id: &request.identity.request_id,
            function: &request.function.release.id,
            version: &request.function.release.version,
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            client_ip: client_ip.as_deref(),
            original_uri: request.original_uri.as_ref().map(PathAndQuery::as_str),
        },
    };
    let encoded = Bytes::from(message.encode_head(request.body.bytes.len()));
    if let Some(kept) = &request.kept {
        kept.set_head(encoded.clone());
    }
    encoded
}

fn scheme(request: &AdmittedRequest) -> &str {
    let forwarded = request.head.headers.get(FORWARDED_PROTO).and_then(|value| value.to_str().ok());
    forwarded.filter(|scheme| ["http", "https"].contains(scheme)).unwrap_or("http")
}
