//! The request as the host would write it, for targets without a host.

use crate::function::Function;
use fezz_wire::{FezzWireRequest, Meta};

/// The bytes that the host writes for the request of all clients here.
pub(crate) fn request(function: Function) -> Vec<u8> {
    let path = function.path();
    let request = FezzWireRequest {
        method: "GET",
        uri: function.uri(),
        authority: Some("127.0.0.1:3000"),
        scheme: Some("http"),
        headers: vec![
            ("host", b"127.0.0.1:3000"),
            ("x-name", b"Ada"),
            ("x-request-id", b"0123456789abcdef0123456789abcdef"),
            ("traceparent", b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"),
        ],
        params: Default::default(),
        body: b"",
        meta: Meta {
            request_id: "0123456789abcdef0123456789abcdef",
            function: function.id(),
            version: Function::VERSION,
            deadline_ms: 30_000,
            client_ip: Some("127.0.0.1"),
            original_uri: Some(&path),
        },
    };
    request.encode()
}
