//! Requests and responses in the format that a worker has chosen.

use crate::admitted::AdmittedRequest;
use crate::execute::answer::{self, Outcome};
use crate::execute::failure::{Failure, InvalidResponse};
use crate::execute::message::{encode_head, encode_with};
use crate::execute::response_reader::BESIDE_BODY_BYTES;
use crate::memory::{Holding, SMALL_BYTES, request_bytes};
use bytes::Bytes;
use fezz_wire::frame::{Format, PAYLOAD_BYTES_MAX};
use fezz_wire::{json, message_pack};

/// The most bytes that JSON takes for one byte of text, a control character's escape: `\u0000`. Base64 takes fewer.
const JSON_EXPANSION: usize = 6;

/// How many bytes a library of the format goes through, one by one, if a request's body or a response's payload has `bytes`.
/// None in CBOR, whose bodies are neither read nor copied.
pub(super) fn converted_bytes(format: Format, bytes: usize) -> usize {
    match format {
        Format::Cbor => 0,
        Format::Json | Format::None | Format::MessagePack => bytes,
    }
}

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
    let decode = match format {
        Format::Cbor => return answer::decode(payload, holding, body_bytes_max),
        Format::Json | Format::None => json::decode_response,
        Format::MessagePack => message_pack::decode_response,
    };
    let copies = 1 + decoded_copies(format);
    if payload.len() > SMALL_BYTES {
        holding.resize(payload.len() * copies).map_err(Failure::ResponseDropped)?;
    }
    let decoded = decode(payload)
        .map_err(|error| Failure::InvalidResponse(InvalidResponse::Payload(crate::log::chain(&error))))?;
    answer::of_owned(decoded, holding, body_bytes_max)
}

/// How many copies of a payload its decoding holds at most.
fn decoded_copies(format: Format) -> usize {
    match format {
        // A text with escapes is put together in a buffer first. A body in base64 is held as text, too, while it is decoded.
        Format::Json | Format::None => 2,
        Format::Cbor | Format::MessagePack => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::small_response;

    fn decoded(format: Format, body_bytes: usize) -> Outcome {
        let body = "x".repeat(body_bytes).into_bytes();
        let response = fezz_wire::FezzWireResponse { status: 200, headers: vec![], body: &body, error: None };
        let payload = match format {
            Format::MessagePack => message_pack::encode_response(&response),
            _ => json::encode_response(&response),
        };
        decode(&payload.into(), format, small_response(), u64::MAX)
    }

    #[test]
    fn the_copies_that_decoding_makes_are_charged_before_they_are_made() {
        // One account may hold 512 KiB in these tests.
        for (format, fits, full) in
            [(Format::Json, 160 << 10, 180 << 10), (Format::MessagePack, 240 << 10, 260 << 10)]
        {
            assert!(decoded(format, fits).is_ok(), "{format:?}");
            let failure = decoded(format, full).unwrap_err();
            assert!(matches!(failure, Failure::ResponseDropped(_)), "{format:?}: {failure:?}");
        }
    }
}
