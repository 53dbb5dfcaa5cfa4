//! Both messages as JSON (RFC 8259), for workers in languages that have no CBOR: objects with the keys of the wire.
//!
//! JSON has no bytes. So:
//!
//! - The value of a header is a text in which each character stands for the byte of its number (ISO 8859-1, as in
//!   Python's WSGI, PEP 3333). A character above U+00FF is an error.
//! - A body is the text `body` where it is UTF-8, else `body_base64` (RFC 4648, section 4, with padding). A reader takes
//!   either; both at once are an error.
//!
//! What is left out is empty, and `null` counts as left out where a key is optional. The other rules of the wire hold: a
//! missing required key, a key twice, a wrong type, more than [`PAIRS_MAX`](crate::PAIRS_MAX) headers or parameters and a
//! byte after the object are errors; unknown keys are ignored.
//!
//! ```
//! use fezz_wire::json;
//!
//! let response = json::decode_response(br#"{"status": 200, "headers": [["x-name", "\u00e9"]], "body": "Hello"}"#)?;
//! assert_eq!((response.status, &response.headers[0].1[..], &response.body[..]), (200, &b"\xe9"[..], &b"Hello"[..]));
//! # Ok::<(), fezz_wire::PayloadError>(())
//! ```

use crate::brief::Brief;
use crate::forms::{self, PayloadError, checked};
use crate::{FezzWireRequest, FezzWireResponse, owned};
use base64::display::Base64Display;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::prelude::Engine;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use std::fmt::{self, Formatter, Write};

/// Encodes a request.
pub fn encode_request(request: &FezzWireRequest<'_>) -> Vec<u8> {
    written(&forms::request(request, Latin1, BodyForm::of))
}

/// Encodes a response.
pub fn encode_response(response: &FezzWireResponse<'_>) -> Vec<u8> {
    written(&forms::response(response, Latin1, BodyForm::of))
}

/// Decodes one whole request.
///
/// # Errors
///
/// The rule that it breaks.
pub fn decode_request(message: &[u8]) -> Result<owned::FezzWireRequest, PayloadError> {
    let request: Request = read(message).map_err(PayloadError::Json)?;
    let Request { method, uri, authority, scheme, headers, params, meta, body, body_base64 } = request;
    let (headers, body) = (bytes_of(headers), body_of(body, body_base64)?);
    Ok(owned::FezzWireRequest { method, uri, authority, scheme, headers, params, meta, body })
}

/// Decodes one whole response.
///
/// # Errors
///
/// The rule that it breaks, or a status outside [`FezzWireResponse::STATUSES`].
pub fn decode_response(message: &[u8]) -> Result<owned::FezzWireResponse, PayloadError> {
    let response: Response = read(message).map_err(PayloadError::Json)?;
    let Response { status, headers, error, body, body_base64 } = response;
    let (headers, body) = (bytes_of(headers), body_of(body, body_base64)?);
    checked(owned::FezzWireResponse { status, headers, error, body })
}

fn read<'de, T: Deserialize<'de>>(message: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(message);
    let read = T::deserialize(Brief(&mut reader))?;
    reader.end()?;
    Ok(read)
}

fn written(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("texts, numbers and maps of texts can be written as JSON")
}

/// A request as it is read.
#[derive(Deserialize)]
struct Request {
    method: String,
    uri: String,
    #[serde(default)]
    authority: Option<String>,
    #[serde(default)]
    scheme: Option<String>,
    #[serde(default, deserialize_with = "forms::bounded_headers")]
    headers: Vec<(String, Latin1Buf)>,
    #[serde(default, deserialize_with = "forms::bounded_params")]
    params: BTreeMap<String, String>,
    meta: owned::Meta,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
}

/// A response as it is read.
#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default, deserialize_with = "forms::bounded_headers")]
    headers: Vec<(String, Latin1Buf)>,
    #[serde(default)]
    error: Option<owned::FezzWireError>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
}

fn body_of(body: Option<String>, body_base64: Option<String>) -> Result<ByteBuf, PayloadError> {
    match (body, body_base64) {
        (Some(_), Some(_)) => Err(PayloadError::TwoBodies),
        (None, Some(text)) => Ok(ByteBuf::from(STANDARD.decode(text).map_err(PayloadError::Base64)?)),
        (body, None) => Ok(ByteBuf::from(body.unwrap_or_default())),
    }
}

fn bytes_of(headers: Vec<(String, Latin1Buf)>) -> Vec<(String, ByteBuf)> {
    headers.into_iter().map(|(name, value)| (name, ByteBuf::from(value.0))).collect()
}

/// The one or other key of a body, for a form that is written.
#[derive(Serialize)]
pub(crate) struct BodyForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<Base64<'a>>,
}

impl<'a> BodyForm<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Self { body: Some(text), body_base64: None },
            Err(_) => Self { body: None, body_base64: Some(Base64(bytes)) },
        }
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::<GeneralPurpose>::new(self.0, &STANDARD))
    }
}

/// Bytes as the characters of their numbers.
struct Latin1<'a>(&'a [u8]);

impl fmt::Display for Latin1<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| formatter.write_char(char::from(*byte)))
    }
}

impl Serialize for Latin1<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(self.0) {
            // Nearly all values.
            Ok(text) if text.is_ascii() => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}

struct Latin1Buf(Vec<u8>);

impl<'de> Deserialize<'de> for Latin1Buf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Latin1Visitor)
    }
}

struct Latin1Visitor;

impl Visitor<'_> for Latin1Visitor {
    type Value = Latin1Buf;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a header's value: a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Latin1Buf, E> {
        let byte = |character: char| {
            u8::try_from(character).map_err(|_| {
                let number = u32::from(character);
                E::custom(format_args!("a header's value has U+{number:04X}, the limit is U+00FF"))
            })
        };
        text.chars().map(byte).collect::<Result<_, E>>().map(Latin1Buf)
    }
}
