//! The messages as owned types, which serde reads and writes. With a CBOR library such as ciborium, the bytes are those
//! of the wire.
//!
//! They correspond to [`crate::FezzWireRequest`] and [`crate::FezzWireResponse`], which borrow from a message and check
//! it by all of the wire's rules. Reading by serde is more lenient: it checks the number of headers and parameters, but
//! not the status, and the nesting only as far as the library does.

use crate::forms::{bounded_headers, bounded_params};
use crate::{ErrorKind, FezzWireError as BorrowedError};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

/// [`crate::FezzWireRequest`], owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FezzWireRequest {
    /// The method, as received: `GET`.
    pub method: String,
    /// Path and query, as [`crate::FezzWireRequest::uri`].
    pub uri: String,
    /// `Host`, or `:authority` in HTTP/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// `http`, or what the proxy in front forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// Names in lower case; order and duplicates kept; values are bytes.
    #[serde(deserialize_with = "bounded_headers")]
    pub headers: Vec<(String, ByteBuf)>,
    /// The route's path parameters, percent-decoded.
    #[serde(deserialize_with = "bounded_params")]
    pub params: BTreeMap<String, String>,
    /// What the host says about the request.
    pub meta: Meta,
    /// The body, without its transfer coding.
    pub body: ByteBuf,
}

/// [`crate::Meta`], owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Names the request in every log line.
    pub request_id: String,
    /// The function's id.
    pub function: String,
    /// The function's version.
    pub version: String,
    /// Milliseconds left until the process is killed.
    pub deadline_ms: u64,
    /// The client's IP address in text, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// Path and query as received, where they differ from `uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_uri: Option<String>,
}

/// [`crate::FezzWireResponse`], owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FezzWireResponse {
    /// 200 to 599.
    pub status: u16,
    /// Names, compared without case, and values in bytes.
    #[serde(default, deserialize_with = "bounded_headers")]
    pub headers: Vec<(String, ByteBuf)>,
    /// Set where the function failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FezzWireError>,
    /// The body.
    #[serde(default)]
    pub body: ByteBuf,
}

/// [`crate::FezzWireError`], owned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FezzWireError {
    /// The kind of failure, as [`ErrorKind::as_str`] returns it; an unknown one means [`ErrorKind::Returned`].
    pub kind: String,
    /// For the log, never for the client.
    pub message: String,
}

impl FezzWireError {
    /// The kind, as the wire's own types have it.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::from_wire(&self.kind)
    }
}

impl From<&crate::FezzWireRequest<'_>> for FezzWireRequest {
    fn from(request: &crate::FezzWireRequest<'_>) -> Self {
        let text = |(name, value): (&&str, &&str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            method: request.method.to_owned(),
            uri: request.uri.to_owned(),
            authority: request.authority.map(str::to_owned),
            scheme: request.scheme.map(str::to_owned),
            headers: owned(&request.headers),
            params: request.params.iter().map(text).collect(),
            meta: Meta::from(&request.meta),
            body: ByteBuf::from(request.body),
        }
    }
}

impl From<&crate::Meta<'_>> for Meta {
    fn from(meta: &crate::Meta<'_>) -> Self {
        Self {
            request_id: meta.request_id.to_owned(),
            function: meta.function.to_owned(),
            version: meta.version.to_owned(),
            deadline_ms: meta.deadline_ms,
            client_ip: meta.client_ip.map(str::to_owned),
            original_uri: meta.original_uri.map(str::to_owned),
        }
    }
}

impl From<&crate::FezzWireResponse<'_>> for FezzWireResponse {
    fn from(response: &crate::FezzWireResponse<'_>) -> Self {
        Self {
            status: response.status,
            headers: owned(&response.headers),
            error: response.error.as_ref().map(FezzWireError::from),
            body: ByteBuf::from(response.body),
        }
    }
}

impl From<&BorrowedError<'_>> for FezzWireError {
    fn from(error: &BorrowedError<'_>) -> Self {
        Self { kind: error.kind.as_str().to_owned(), message: error.message.to_owned() }
    }
}

fn owned(headers: &[(&str, &[u8])]) -> Vec<(String, ByteBuf)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), ByteBuf::from(*value))).collect()
}
