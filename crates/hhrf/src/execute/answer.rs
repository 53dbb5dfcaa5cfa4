//! A function's answer: the head of a response, and a body that may still be arriving.

use super::failure::{Failure, InvalidResponse};
use crate::memory::{Holding, response_bytes};
use bytes::Bytes;
use fezz_wire::{ErrorKind, FezzWireResponse, owned};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Body;
use std::fmt;
use std::pin::Pin;

/// What an executor returns for a request: status and headers as the function gave them, and the body.
pub type Answer = Response<AnswerBody>;

/// The result of a request.
pub type Outcome = Result<Answer, Failure>;

/// The body of an answer.
#[derive(Debug)]
pub struct AnswerBody {
    /// Its bytes.
    pub bytes: AnswerBytes,
    /// The memory of the answer.
    pub holding: Holding,
}

/// The bytes of a body.
pub enum AnswerBytes {
    /// All of them. The request's process has ended, or ends by itself.
    Whole(Bytes),
    /// They arrive piece by piece, and have the [`Lease`](super) of their process. Dropping them kills the process. If
    /// they end with an error, the client's stream is reset, so that it can't take the response for complete.
    Arriving(Pin<Box<dyn Body<Data = Bytes, Error = Failure> + Send>>),
}

/// The most bytes of a response's headers, names and values together: about what clients and proxies accept.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The headers that the host adds: the request's id and trace. With room for them, the map needn't grow.
const HOSTS_HEADERS: usize = 2;

/// The most of an error's message that is kept.
const MESSAGE_CHARS_MAX: usize = 8 * 1024;

impl AnswerBody {
    /// A body that is complete.
    pub fn whole(bytes: Bytes, holding: Holding) -> Self {
        Self { bytes: AnswerBytes::Whole(bytes), holding }
    }

    /// A body whose pieces are still to come.
    pub fn arriving(
        pieces: impl Body<Data = Bytes, Error = Failure> + Send + 'static,
        holding: Holding,
    ) -> Self {
        Self { bytes: AnswerBytes::Arriving(Box::pin(pieces)), holding }
    }
}

impl AnswerBody {
    /// Whether it is certain that there are no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.bytes {
            AnswerBytes::Whole(bytes) => bytes.is_empty(),
            AnswerBytes::Arriving(pieces) => pieces.is_end_stream(),
        }
    }
}

impl fmt::Debug for AnswerBytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(formatter, "Whole({} bytes)", bytes.len()),
            Self::Arriving(_) => formatter.write_str("Arriving"),
        }
    }
}

/// Decodes a complete message, a `FezzWireResponse`, and checks it; `holding` is its memory.
///
/// # Errors
///
/// [`Failure::InvalidResponse`]; what the function itself reports, which is a panic, or an error that it returned; or
/// [`Failure::ResponseDropped`].
pub(super) fn decode(message: &Bytes, holding: Holding, body_bytes_max: u64) -> Outcome {
    let decoded =
        FezzWireResponse::decode(message).map_err(|error| Failure::InvalidResponse(error.into()))?;
    if let Some(error) = decoded.error {
        return Err(reported(error.kind, error.message));
    }
    check_body(decoded.body.len(), body_bytes_max)?;
    check_header_bytes(decoded.headers.iter().map(|(name, value)| name.len() + value.len()).sum())
        .map_err(Failure::InvalidResponse)?;
    let headers = headers(decoded.headers.iter().copied()).map_err(Failure::InvalidResponse)?;
    let body = match decoded.body {
        [] => Bytes::new(),
        // A slice would keep the whole message alive, of which the body may be a small part.
        body if body.len() < message.len() / 2 => Bytes::copy_from_slice(body),
        body => message.slice_ref(body),
    };
    // A slice may keep up to twice its length alive.
    let body_bytes = message.len().min(2 * body.len());
    holding.resize(response_bytes(&headers) + body_bytes).map_err(Failure::ResponseDropped)?;
    Ok(answer(decoded.status, headers, AnswerBody::whole(body, holding)))
}

/// The same for a message that another library than the wire's has decoded.
///
/// # Errors
///
/// As [`decode`].
pub(super) fn of_owned(decoded: owned::FezzWireResponse, holding: Holding, body_bytes_max: u64) -> Outcome {
    if let Some(error) = &decoded.error {
        return Err(reported(error.kind(), &error.message));
    }
    check_body(decoded.body.len(), body_bytes_max)?;
    let pairs = || decoded.headers.iter().map(|(name, value)| (name.as_str(), &value[..]));
    check_header_bytes(pairs().map(|(name, value)| name.len() + value.len()).sum())
        .map_err(Failure::InvalidResponse)?;
    let headers = headers(pairs()).map_err(Failure::InvalidResponse)?;
    let body = Bytes::from(decoded.body.into_vec());
    holding.resize(response_bytes(&headers) + body.len()).map_err(Failure::ResponseDropped)?;
    Ok(answer(decoded.status, headers, AnswerBody::whole(body, holding)))
}

/// What a function itself reports.
fn reported(kind: ErrorKind, message: &str) -> Failure {
    // The log escapes and cuts it, too; cut here to keep less memory until then.
    let text: String = message.chars().take(MESSAGE_CHARS_MAX).collect();
    match kind {
        ErrorKind::Panicked => Failure::Panicked(text),
        ErrorKind::Returned => Failure::Returned(text),
    }
}

fn answer(status: u16, headers: HeaderMap, body: AnswerBody) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).expect("the wire takes 200 to 599");
    *answer.headers_mut() = headers;
    answer
}

/// Checks a response of native code; `holding` is its memory.
///
/// # Errors
///
/// [`Failure::InvalidResponse`], or [`Failure::ResponseDropped`].
pub(super) fn of_native(response: Response<Bytes>, holding: Holding, body_bytes_max: u64) -> Outcome {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    if !(200..600).contains(&status) {
        return Err(Failure::InvalidResponse(InvalidResponse::Status { status }));
    }
    check_body(body.len(), body_bytes_max)?;
    let header_bytes = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    check_header_bytes(header_bytes).map_err(Failure::InvalidResponse)?;
    holding.resize(response_bytes(&parts.headers) + body.len()).map_err(Failure::ResponseDropped)?;
    Ok(Response::from_parts(parts, AnswerBody::whole(body, holding)))
}

fn check_body(bytes: usize, bytes_max: u64) -> Result<(), Failure> {
    if bytes as u64 > bytes_max {
        return Err(Failure::InvalidResponse(InvalidResponse::BodyTooLarge { bytes, bytes_max }));
    }
    Ok(())
}

fn check_header_bytes(bytes: usize) -> Result<(), InvalidResponse> {
    if bytes > HEADER_BYTES_MAX {
        return Err(InvalidResponse::HeadersTooLarge { bytes, bytes_max: HEADER_BYTES_MAX });
    }
    Ok(())
}

/// The headers of a function's response.
///
/// # Errors
///
/// HTTP doesn't allow one of them: [`InvalidResponse::Header`].
pub fn headers<'a>(
    raw: impl ExactSizeIterator<Item = (&'a str, &'a [u8])>,
) -> Result<HeaderMap, InvalidResponse> {
    let mut headers = HeaderMap::with_capacity(raw.len() + HOSTS_HEADERS);
    for (name, value) in raw {
        let bad = || InvalidResponse::Header { name: name.escape_default().take(100).collect() };
        // Neither takes CR, LF or NUL.
        let (parsed, value) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value));
        let (Ok(parsed), Ok(value)) = (parsed, value) else { return Err(bad()) };
        headers.append(parsed, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::small_response;

    fn decoded(headers: Vec<(&str, &[u8])>, body: &[u8]) -> Outcome {
        let message = FezzWireResponse { status: 200, headers, body, error: None }.encode();
        decode(&message.into(), small_response(), 10)
    }

    #[test]
    fn what_http_does_not_allow_is_invalid() {
        for (name, value) in
            [("a", &b"1\r\nb: 2"[..]), ("a", b"1\0"), ("a b", b"1"), ("", b"1"), ("a\n", b"1")]
        {
            let failure = decoded(vec![(name, value)], b"").unwrap_err();
            assert!(
                matches!(failure, Failure::InvalidResponse(InvalidResponse::Header { .. })),
                "{failure:?}"
            );
        }
        let failure = decoded(vec![], b"eleven bytes").unwrap_err();
        assert!(
            matches!(failure, Failure::InvalidResponse(InvalidResponse::BodyTooLarge { .. })),
            "{failure:?}"
        );
    }
}
