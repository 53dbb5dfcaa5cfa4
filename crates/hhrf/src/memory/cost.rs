//! The memory that heads take.

use http::HeaderMap;
use http::request::Parts;
use http::uri::PathAndQuery;

/// What a header takes beside its name and value: the entry of a `HeaderMap` (104 bytes), its slot in the index, and
/// the slack of both. RFC 9113, section 6.5.2, counts 32.
const HEADER_BYTES: usize = 128;

/// What a request takes beside its headers and body: its task, its stream in hyper, and what the host knows of it. Measured
/// with 4800 requests that wait for their bodies: 8122 bytes each, and 118 for each header of 2 bytes.
const REQUEST_BYTES: usize = 8 * 1024;

/// How often the host holds a request's target: in its head, for the log, and in the parameters of its route.
const TARGET_COPIES: usize = 3;

/// What a request takes before its body comes; `original` is its target as received, if the function sees another.
pub(crate) fn request_bytes(head: &Parts, original: Option<&PathAndQuery>) -> usize {
    let bytes = |target: Option<&PathAndQuery>| target.map_or(0, |target| target.as_str().len());
    let targets = TARGET_COPIES * bytes(head.uri.path_and_query()) + bytes(original);
    REQUEST_BYTES + targets + headers_bytes(&head.headers)
}

/// What a response takes beside its body: as long as it isn't sent, its request's task and stream are there, too.
pub(crate) fn response_bytes(headers: &HeaderMap) -> usize {
    REQUEST_BYTES + headers_bytes(headers)
}

/// Whether the headers of a response take much more than those of most, for which hyper's first buffer does.
pub(crate) fn is_large_head(headers: &HeaderMap) -> bool {
    const LARGE_BYTES: usize = 16 * 1024;
    headers_bytes(headers) > LARGE_BYTES
}

fn headers_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES).sum()
}
