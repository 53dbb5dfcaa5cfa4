//! A request, before it is a message.

use crate::routes::Params;
use fezz_manifest::rpc::CallByName;
use fezz_wire::{FezzWireRequest, Meta};
use std::time::Duration;

/// A request as a client would send it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method: `GET`.
    pub method: String,
    /// Path and query, percent-encoded.
    pub uri: String,
    /// In order. The names are in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, without a transfer coding.
    pub body: Vec<u8>,
    /// Names the request in the context and in events of the log.
    pub request_id: String,
}

/// The release that a request is for, as its message says.
#[derive(Debug, Clone, Copy)]
pub struct Addressee<'a> {
    /// The function's id.
    pub function: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its deadline.
    pub timeout: Duration,
}

impl Request {
    /// The path, without the query.
    pub fn path(&self) -> &str {
        path(&self.uri)
    }

    /// The first value of that header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// The message that a host would send, of a client on this machine.
    pub fn encode(&self, addressee: Addressee<'_>, params: &Params) -> Vec<u8> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let authority = self.header("host").and_then(|host| str::from_utf8(host).ok());
        let by_name = CallByName::parse(&self.uri);
        let message = FezzWireRequest {
            method: &self.method,
            uri: by_name.as_ref().map_or(&self.uri, |call| &call.uri),
            authority: authority.or(Some("localhost")),
            scheme: Some("http"),
            headers: headers.collect(),
            params: params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            body: &self.body,
            meta: Meta {
                request_id: &self.request_id,
                function: addressee.function,
                version: addressee.version,
                deadline_ms: u64::try_from(addressee.timeout.as_millis()).unwrap_or(u64::MAX),
                client_ip: Some("127.0.0.1"),
                original_uri: by_name.is_some().then_some(&self.uri),
            },
        };
        message.encode()
    }
}

/// The path of a URI, without its query.
pub(crate) fn path(uri: &str) -> &str {
    uri.split('?').next().unwrap_or_default()
}
