//! Last stage: makes an HTTP response of a function's bytes, if they are valid.

use crate::execute::Failure;
use crate::execute::failure::InvalidResponse;
use crate::headers::HopByHop;
use crate::identity::{REQUEST_ID, TRACEPARENT};
use crate::problem::FEZZ_ERROR;
use bytes::Bytes;
use fezz_wire::{ErrorKind, FezzWireResponse};
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

/// The most bytes of a response's headers, names and values together: about what clients and proxies accept.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The most of an error's message that is kept.
const MESSAGE_CHARS_MAX: usize = 8 * 1024;

/// Decodes a message and checks all that HTTP asks of it.
///
/// # Errors
///
/// [`Failure::InvalidResponse`], and what the function itself reports: a panic, or an error that it returned.
pub fn respond(message: &Bytes, body_bytes_max: u64) -> Result<Response<Bytes>, Failure> {
    let decoded =
        FezzWireResponse::decode(message).map_err(|error| Failure::InvalidResponse(error.into()))?;
    if let Some(error) = decoded.error {
        // The log escapes and cuts it, too; cut here to keep less memory until then.
        let text: String = error.message.chars().take(MESSAGE_CHARS_MAX).collect();
        return Err(match error.kind {
            ErrorKind::Panicked => Failure::Panicked(text),
            ErrorKind::Returned => Failure::Returned(text),
        });
    }
    if decoded.body.len() as u64 > body_bytes_max {
        let bytes = decoded.body.len();
        return Err(Failure::InvalidResponse(InvalidResponse::BodyTooLarge {
            bytes,
            bytes_max: body_bytes_max,
        }));
    }
    let headers = headers(&decoded.headers).map_err(Failure::InvalidResponse)?;
    let status = StatusCode::from_u16(decoded.status).expect("the wire takes 200 to 599");
    // These have no body, whatever the function returns (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
    let has_body = !matches!(status.as_u16(), 204 | 205 | 304);
    let body = match decoded.body {
        body if !has_body || body.is_empty() => Bytes::new(),
        // A slice would keep the whole message alive, of which the body may be a small part.
        body if body.len() < message.len() / 2 => Bytes::copy_from_slice(body),
        body => message.slice_ref(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The headers that are passed on: well-formed, not hop-by-hop, and not set by the host.
fn headers(raw: &[(&str, &[u8])]) -> Result<HeaderMap, InvalidResponse> {
    let bytes = raw.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return Err(InvalidResponse::HeadersTooLarge { bytes, bytes_max: HEADER_BYTES_MAX });
    }
    let is_connection = |name: &str| name.eq_ignore_ascii_case(CONNECTION.as_str());
    let connection = raw.iter().filter(|(name, _)| is_connection(name)).map(|(_, value)| *value);
    let hop_by_hop = HopByHop::of(connection);
    let hosts_own = [&CONTENT_LENGTH, &REQUEST_ID, &TRACEPARENT, &FEZZ_ERROR];
    let mut headers = HeaderMap::with_capacity(raw.len());
    for (name, value) in raw {
        let bad = || InvalidResponse::Header { name: name.escape_default().take(100).collect() };
        // Neither takes CR, LF or NUL.
        let (name, value) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value));
        let (Ok(name), Ok(value)) = (name, value) else { return Err(bad()) };
        if !hop_by_hop.holds(&name) && !hosts_own.contains(&&name) {
            headers.append(name, value);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respond_to(status: u16, headers: Vec<(&str, &[u8])>, body: &[u8]) -> Result<Response<Bytes>, Failure> {
        respond(&FezzWireResponse { status, headers, body, error: None }.encode().into(), 10)
    }

    #[test]
    fn the_connections_headers_and_the_hosts_own_are_left_out() {
        let names = [
            "connection",
            "x-hop",
            "Keep-Alive",
            "transfer-encoding",
            "content-length",
            "fezz-error",
            "x-mine",
        ];
        let value = |name| if name == "connection" { &b"close, X-Hop"[..] } else { b"1" };
        let response = respond_to(200, names.map(|name| (name, value(name))).to_vec(), b"").unwrap();
        assert_eq!(response.headers().keys().collect::<Vec<_>>(), ["x-mine"]);
    }

    #[test]
    fn a_status_without_a_body_gets_none() {
        assert_eq!(respond_to(204, vec![], b"body").unwrap().body(), "");
        assert_eq!(respond_to(200, vec![], b"body").unwrap().body(), "body");
    }

    #[test]
    fn what_http_does_not_allow_is_invalid() {
        for (name, value) in
            [("a", &b"1\r\nb: 2"[..]), ("a", b"1\0"), ("a b", b"1"), ("", b"1"), ("a\n", b"1")]
        {
            let failure = respond_to(200, vec![(name, value)], b"").unwrap_err();
            assert!(
                matches!(failure, Failure::InvalidResponse(InvalidResponse::Header { .. })),
                "{failure:?}"
            );
        }
        let failure = respond_to(200, vec![], b"eleven bytes").unwrap_err();
        assert!(
            matches!(failure, Failure::InvalidResponse(InvalidResponse::BodyTooLarge { .. })),
            "{failure:?}"
        );
    }
}
