//! What the formats beside CBOR share: the messages as serde writes them, and the bounds by which it reads them.

use crate::brief::beginning;
use crate::{FezzWireRequest, FezzWireResponse, Meta, PAIRS_MAX, owned};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::marker::PhantomData;

/// Why a payload in JSON or MessagePack is not a message of this wire.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON, or a key is missing, there twice, or of a wrong type.
    #[error("the payload is not the JSON of a message")]
    Json(#[source] serde_json::Error),
    /// The same for MessagePack.
    #[cfg(feature = "message-pack")]
    #[error("the payload is not the MessagePack of a message")]
    MessagePack(#[source] rmp_serde::decode::Error),
    /// Something follows the message.
    #[error("{bytes} bytes follow the end of the message")]
    TrailingBytes {
        /// How many.
        bytes: usize,
    },
    /// Not base64 by RFC 4648, section 4.
    #[error("`body_base64` is not base64")]
    Base64(#[source] base64::DecodeError),
    /// Two bodies.
    #[error("the message has both `body` and `body_base64`: give one")]
    TwoBodies,
    /// Outside [`FezzWireResponse::STATUSES`].
    #[error("`status` is {status}, outside 200 to 599")]
    Status {
        /// The status.
        status: u16,
    },
}

/// A response, if its status may be one.
pub(crate) fn checked(response: owned::FezzWireResponse) -> Result<owned::FezzWireResponse, PayloadError> {
    match response.status {
        status if FezzWireResponse::STATUSES.contains(&status) => Ok(response),
        status => Err(PayloadError::Status { status }),
    }
}

/// A request as it is written. `V` is a header's value, `B` has the key or keys of the body.
#[derive(Serialize)]
pub(crate) struct RequestForm<'a, V: Serialize, B: Serialize> {
    method: &'a str,
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'a str>,
    headers: Headers<'a, V>,
    params: &'a BTreeMap<&'a str, &'a str>,
    meta: MetaForm<'a>,
    #[serde(flatten)]
    body: B,
}

#[derive(Serialize)]
struct MetaForm<'a> {
    request_id: &'a str,
    function: &'a str,
    version: &'a str,
    deadline_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_uri: Option<&'a str>,
}

/// A response as it is written.
#[derive(Serialize)]
pub(crate) struct ResponseForm<'a, V: Serialize, B: Serialize> {
    status: u16,
    headers: Headers<'a, V>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorForm<'a>>,
    #[serde(flatten)]
    body: B,
}

#[derive(Serialize)]
struct ErrorForm<'a> {
    kind: &'static str,
    message: &'a str,
}

pub(crate) fn request<'a, V: Serialize, B: Serialize>(
    request: &'a FezzWireRequest<'a>,
    value: fn(&'a [u8]) -> V,
    body: fn(&'a [u8]) -> B,
) -> RequestForm<'a, V, B> {
    let Meta { request_id, function, version, deadline_ms, client_ip, original_uri } = request.meta;
    RequestForm {
        method: request.method,
        uri: request.uri,
        authority: request.authority,
        scheme: request.scheme,
        headers: Headers { headers: &request.headers, value },
        params: &request.params,
        meta: MetaForm { request_id, function, version, deadline_ms, client_ip, original_uri },
        body: body(request.body),
    }
}

pub(crate) fn response<'a, V: Serialize, B: Serialize>(
    response: &'a FezzWireResponse<'a>,
    value: fn(&'a [u8]) -> V,
    body: fn(&'a [u8]) -> B,
) -> ResponseForm<'a, V, B> {
    let error = response.error.as_ref();
    ResponseForm {
        status: response.status,
        headers: Headers { headers: &response.headers, value },
        error: error.map(|error| ErrorForm { kind: error.kind.as_str(), message: error.message }),
        body: body(response.body),
    }
}

struct Headers<'a, V> {
    headers: &'a [(&'a str, &'a [u8])],
    value: fn(&'a [u8]) -> V,
}

impl<V: Serialize> Serialize for Headers<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.headers.len()))?;
        for (name, value) in self.headers {
            sequence.serialize_element(&(name, (self.value)(value)))?;
        }
        sequence.end()
    }
}

/// Reads headers, up to [`PAIRS_MAX`].
pub(crate) fn bounded_headers<'de, V, D>(deserializer: D) -> Result<Vec<(String, V)>, D::Error>
where
    V: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(HeadersVisitor(PhantomData))
}

struct HeadersVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for HeadersVisitor<V> {
    type Value = Vec<(String, V)>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("`headers`: an array of [name, value]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut headers = Vec::new();
        while let Some(header) = sequence.next_element()? {
            if headers.len() == PAIRS_MAX {
                return Err(too_many("headers"));
            }
            headers.push(header);
        }
        Ok(headers)
    }
}

/// Reads parameters, up to [`PAIRS_MAX`], none of them twice.
pub(crate) fn bounded_params<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_map(ParamsVisitor)
}

struct ParamsVisitor;

impl<'de> Visitor<'de> for ParamsVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("`params`: a map of text to text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut params = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if params.len() == PAIRS_MAX {
                return Err(too_many("params"));
            }
            if params.contains_key(&name) {
                return Err(A::Error::custom(format_args!("key `{}` is twice in `params`", beginning(name))));
            }
            params.insert(name, value);
        }
        Ok(params)
    }
}

fn too_many<E: Error>(key: &str) -> E {
    E::custom(format_args!("`{key}` holds more than {PAIRS_MAX} pairs"))
}
