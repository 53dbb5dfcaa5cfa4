//! Where an HTTP/1.1 request's body ends (RFC 9112, section 6): by its length, or by `chunked`, once.
//!
//! hyper has refused before what it can't frame: lengths that are none or that differ, a coding behind `chunked`, and
//! any coding with HTTP/1.0. It takes `chunked` for a length's better, drops the length, and ends the connection behind
//! the answer. What it lets through are codings before the last `chunked`, of which it undoes none. HTTP/2 has no
//! transfer codings: there, hyper has the stream reset.

use crate::refusal::Refusal;
use http::HeaderMap;
use http::header::TRANSFER_ENCODING;

/// Refuses codings that another party on the way might have undone differently, and those that the host doesn't know.
///
/// # Errors
///
/// [`Refusal::BadFraming`], [`Refusal::UnknownCoding`].
pub fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let values = headers.get_all(TRANSFER_ENCODING).iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let codings: Vec<&[u8]> = codings.map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match &codings[..] {
        [] => Ok(()),
        [coding] if is_chunked(coding) => Ok(()),
        // An empty element is no coding, and nothing that a sender has a reason for.
        codings if codings.iter().all(|coding| coding.is_empty() || is_chunked(coding)) => {
            Err(Refusal::BadFraming)
        }
        _ => Err(Refusal::UnknownCoding),
    }
}
