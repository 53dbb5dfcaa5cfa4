//! Both messages as MessagePack: the maps of the CBOR form, with texts as `str` and bytes as `bin`. The rules of the wire
//! hold as in [`json`](crate::json).

use crate::brief::Brief;
use crate::forms::{self, PayloadError, checked};
use crate::{FezzWireRequest, FezzWireResponse, owned};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::Bytes;
use std::io::Cursor;

/// Encodes a request.
pub fn encode_request(request: &FezzWireRequest<'_>) -> Vec<u8> {
    written(&forms::request(request, Bytes::new, BodyForm::of))
}

/// Encodes a response.
pub fn encode_response(response: &FezzWireResponse<'_>) -> Vec<u8> {
    written(&forms::response(response, Bytes::new, BodyForm::of))
}

/// Decodes one whole request.
///
/// # Errors
///
/// The rule that it breaks.
pub fn decode_request(message: &[u8]) -> Result<owned::FezzWireRequest, PayloadError> {
    read(message)
}

/// Decodes one whole response.
///
/// # Errors
///
/// The rule that it breaks, or a status outside [`FezzWireResponse::STATUSES`].
pub fn decode_response(message: &[u8]) -> Result<owned::FezzWireResponse, PayloadError> {
    checked(read(message)?)
}

/// How deep unknown values may nest. No message needs more than [`NESTING_MAX`](crate::NESTING_MAX); the library's own
/// limit is 1024, which a thread with a small stack may not have.
const DEPTH_MAX: usize = 32;

fn read<T: DeserializeOwned>(message: &[u8]) -> Result<T, PayloadError> {
    // By a cursor, which tells how far it was read. It allocates as it reads, whatever length is claimed.
    let mut reader = rmp_serde::Deserializer::new(Cursor::new(message));
    reader.set_max_depth(DEPTH_MAX);
    let read = T::deserialize(Brief(&mut reader)).map_err(PayloadError::MessagePack)?;
    match message.len() - reader.position() as usize {
        0 => Ok(read),
        bytes => Err(PayloadError::TrailingBytes { bytes }),
    }
}

fn written(message: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("texts, numbers, bytes and maps can be written as MessagePack")
}

#[derive(Serialize)]
struct BodyForm<'a> {
    body: &'a Bytes,
}

impl<'a> BodyForm<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { body: Bytes::new(bytes) }
    }
}
