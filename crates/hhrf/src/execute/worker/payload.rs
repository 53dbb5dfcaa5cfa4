//! Requests and responses in the format that a worker has chosen.

use crate::admitted::AdmittedRequest;
use crate::execute::answer::{self, Outcome};
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::message::{encode_head, encode_with};
use crate::execute::response_reader::BESIDE_BODY_BYTES;
use crate::memory::{Holding, request_bytes};
use bytes::Bytes;
use fezz_wire::frame::{Format, PAYLOAD_BYTES_MAX};
use fezz_wire::{json, message_pack};

/// The most bytes that JSON takes for one byte of text, a control character's escape: `\u0000`. Base64 takes fewer.
const JSON_EXPANSION: usize = 6;

/// The payload of a request. In CBOR it is the head and the body, without a copy; otherwise one piece, whose memory is
/// charged before it is made.
///
/// # Errors
///
/// There is no memory, or it is longer than a frame.
pub(super) fn encode(request: &AdmittedRequest, format: Format) -> Result<[Bytes; 2], Failure> {
    let payload = match format {
        Format::Cbor => [encode_head(request), request.body.bytes.clone()],
        // `None` means JSON, but a worker's format is never that once it has said hello.
        Format::Json | Format::None => {
            charge(request, json_bytes(&request.body.bytes))?;
            [encode_with(request, json::encode_request), Bytes::new()]
        }
        Format::MessagePack => {
            charge(request, request.body.bytes.len())?;
            [encode_with(request, message_pack::encode_request), Bytes::new()]
        }
    };
    match payload[0].len() + payload[1].len() {
        bytes if bytes > PAYLOAD_BYTES_MAX as usize => Err(Failure::RequestTooLong { bytes }),
        _ => Ok(payload),
    }
}

/// Charges a second copy of the request, whose body takes `body_bytes` there.
fn charge(request: &AdmittedRequest, body_bytes: usize) -> Result<(), Failure> {
    if request.body.bytes.is_empty() {
        return Ok(());
    }
    let own =
        request_bytes(&request.facts.head, request.facts.original_uri.as_ref()) + request.body.bytes.len();
    request.body.holding.resize(own + body_bytes).map_err(Failure::NoMemory)
}

/// How many bytes JSON takes for a body.
fn json_bytes(body: &[u8]) -> usize {
    if std::str::from_utf8(body).is_err() {
        return body.len().div_ceil(3) * 4;
    }
    let of_byte = |byte: &u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => JSON_EXPANSION,
        _ => 1,
    };
    body.iter().map(of_byte).sum()
}

/// The most that a response may take in a format.
pub(super) fn response_bytes_max(format: Format, body_bytes_max: u64) -> usize {
    let bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX).saturating_add(BESIDE_BODY_BYTES);
    match format {
        Format::Json | Format::None => bytes_max.saturating_mul(JSON_EXPANSION),
        Format::Cbor | Format::MessagePack => bytes_max,
    }
}

/// The answer by the payload of a response.
///
/// # Errors
///
/// As [`answer::decode`].
pub(super) fn decode(payload: &Bytes, format: Format, holding: Holding, body_bytes_max: u64) -> Outcome {
    let decoded = match format {
        Format::Cbor => return answer::decode(payload, holding, body_bytes_max),
        Format::Json | Format::None => json::decode_response(payload),
        Format::MessagePack => message_pack::decode_response(payload),
    };
    let decoded = decoded
        .map_err(|error| Failure::InvalidResponse(InvalidResponse::Payload(crate::log::chain(&error))))?;
    answer::of_owned(decoded, holding, body_bytes_max)
}
