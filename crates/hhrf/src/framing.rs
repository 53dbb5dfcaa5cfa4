//! Where an HTTP/1.1 request's body ends (RFC 9112, section 6): by its length, or by `chunked`, once.
//!
//! hyper has already refused what it can't frame: invalid or differing lengths, a coding after `chunked`, and any
//! coding with HTTP/1.0. If there are both a length and `chunked`, it drops the length and closes the connection after
//! the answer. It accepts codings before the last `chunked` without decoding them; this file refuses those. HTTP/2 has
//! no transfer codings: there, hyper resets the stream.

use crate::refusal::Refusal;
use http::HeaderMap;
use http::header::TRANSFER_ENCODING;

/// Refuses codings that a proxy might decode differently, and those that the host doesn't know.
///
/// # Errors
///
/// [`Refusal::BadFraming`], [`Refusal::UnknownCoding`].
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let values = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let codings: Vec<&[u8]> = codings.map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match &codings[..] {
        [] => Ok(()),
        [coding] if is_chunked(coding) => Ok(()),
        // An empty element is no coding, and no sender has a reason to send one.
        codings if codings.iter().all(|coding| coding.is_empty() || is_chunked(coding)) => {
            Err(Refusal::BadFraming)
        }
        _ => Err(Refusal::UnknownCoding),
    }
}
