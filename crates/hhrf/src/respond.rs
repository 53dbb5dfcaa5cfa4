//! Last stage: makes an HTTP response of a function's answer.

use crate::execute::{Answer, AnswerBody, AnswerBytes};
use crate::headers::HopByHop;
use bytes::Bytes;
use fezz_manifest::header::HOSTS_OWN;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::Body;

/// The content of a response that isn't sent yet.
#[derive(Debug)]
pub(crate) enum Content {
    /// The host's own.
    Host(Bytes),
    /// A function's.
    Function(AnswerBody),
}

/// Removes what isn't passed on: hop-by-hop headers, those that are the host's own, and the body of a status that has
/// none (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5).
pub(crate) fn respond(answer: Answer) -> Response<Content> {
    let mut response = answer.map(Content::Function);
    remove_headers(response.headers_mut());
    if matches!(response.status().as_u16(), 204 | 205 | 304) {
        *response.body_mut() = Content::empty();
    }
    response
}

/// Makes the response to HEAD from GET's (RFC 9110, section 9.3.2). hyper leaves the body out on HTTP/1, but not on
/// HTTP/2.
pub(crate) fn leave_out_body(response: &mut Response<Content>) {
    let length = std::mem::replace(response.body_mut(), Content::empty()).length();
    // If the function left the body out itself, its length isn't known.
    if let Some(length @ 1..) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

fn remove_headers(headers: &mut HeaderMap) {
    let hop_by_hop = HopByHop::of_message(headers);
    let is_removed = |name: &&HeaderName| hop_by_hop.holds(name) || HOSTS_OWN.contains(name);
    let removed: Vec<HeaderName> = headers.keys().filter(is_removed).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
}

impl Content {
    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self::Host(Bytes::new())
    }

    /// How many bytes there are, if that is known.
    fn length(&self) -> Option<u64> {
        match self {
            Self::Host(bytes) => Some(bytes.len() as u64),
            Self::Function(body) => match &body.bytes {
                AnswerBytes::Whole(bytes) => Some(bytes.len() as u64),
                AnswerBytes::Arriving(pieces) => pieces.size_hint().exact(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::small_response;

    fn respond_to(status: u16, headers: &[(&'static str, &'static str)]) -> Response<Content> {
        let mut answer = Response::new(AnswerBody::whole(Bytes::from("body"), small_response()));
        *answer.status_mut() = status.try_into().unwrap();
        for (name, value) in headers {
            answer.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        respond(answer)
    }

    #[test]
    fn the_connections_headers_and_the_hosts_own_are_left_out() {
        let response = respond_to(
            200,
            &[
                ("connection", "close, X-Hop"),
                ("x-hop", "1"),
                ("keep-alive", "1"),
                ("transfer-encoding", "1"),
                ("content-length", "1"),
                ("fezz-error", "1"),
                ("x-mine", "1"),
                ("x-mine", "2"),
            ],
        );
        assert_eq!(response.headers().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["x-mine"; 2]);
    }

    #[test]
    fn a_status_without_a_body_gets_none() {
        assert_eq!(respond_to(204, &[]).body().length(), Some(0));
        assert_eq!(respond_to(200, &[]).body().length(), Some(4));
    }
}
