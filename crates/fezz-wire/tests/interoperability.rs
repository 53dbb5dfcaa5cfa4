//! Both messages, written by one library and read by the other.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

use fezz_wire::{ErrorKind, FezzWireError, FezzWireRequest, FezzWireResponse, Meta, owned};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::Serialize;

fn by_ciborium(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(message, &mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn a_request_is_the_same_by_either_library(
        uri in "/[!-~]{0,60}",
        texts in vec(option::of(any::<String>()), 4),
        headers in vec(("[a-z-]{1,12}", vec(any::<u8>(), 0..300)), 0..30),
        params in btree_map(any::<String>(), any::<String>(), 0..30),
        body in vec(any::<u8>(), 0..70_000),
        deadline_ms in any::<u64>(),
    ) {
        let [authority, scheme, client_ip, original_uri] = [0, 1, 2, 3].map(|at| texts[at].as_deref());
        let request = FezzWireRequest {
            method: "POST",
            uri: &uri,
            authority,
            scheme,
            headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            params: params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            body: &body,
            meta: Meta { request_id: "r", function: "f", version: "v", deadline_ms, client_ip, original_uri },
        };
        let message = request.encode();
        let read: owned::FezzWireRequest = ciborium::from_reader(&message[..]).unwrap();
        prop_assert_eq!(&read, &owned::FezzWireRequest::from(&request));
        let written = by_ciborium(&read);
        // The shortest form, in the same order: to the byte.
        prop_assert_eq!(&written, &message);
        prop_assert_eq!(FezzWireRequest::decode(&written), Ok(request));
    }

    #[test]
    fn a_response_is_the_same_by_either_library(
        status in 200_u16..=599,
        headers in vec(("[a-z-]{1,12}", vec(any::<u8>(), 0..300)), 0..30),
        body in vec(any::<u8>(), 0..70_000),
        error in option::of((any::<bool>(), any::<String>())),
    ) {
        let kind = |panicked| if panicked { ErrorKind::Panicked } else { ErrorKind::Returned };
        let error = error.as_ref().map(|(panicked, message)| FezzWireError { kind: kind(*panicked), message });
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let response = FezzWireResponse { status, headers, body: &body, error };
        let message = response.encode();
        let read: owned::FezzWireResponse = ciborium::from_reader(&message[..]).unwrap();
        prop_assert_eq!(&read, &owned::FezzWireResponse::from(&response));
        let written = by_ciborium(&read);
        prop_assert_eq!(&written, &message);
        prop_assert_eq!(FezzWireResponse::decode(&written), Ok(response));
    }
}

#[test]
fn what_may_be_left_out_is_left_out_and_unknown_keys_are_ignored() {
    // {"later": [1], "status": 204}
    let message = b"\xa2\x65later\x81\x01\x66status\x18\xcc";
    let read: owned::FezzWireResponse = ciborium::from_reader(&message[..]).unwrap();
    assert_eq!(read, owned::FezzWireResponse::from(&FezzWireResponse::decode(message).unwrap()));
    // {"status": 500, "error": {"kind": "later", "message": ""}}
    let message = b"\xa2\x66status\x19\x01\xf4\x65error\xa2\x64kind\x65later\x67message\x60";
    let read: owned::FezzWireResponse = ciborium::from_reader(&message[..]).unwrap();
    assert_eq!(read.error.unwrap().kind(), ErrorKind::Returned);
}

#[test]
fn a_key_that_is_missing_or_stands_twice_is_refused_by_either() {
    for message in [&b"\xa0"[..], b"\xa2\x66status\x18\xcc\x66status\x18\xcc"] {
        assert!(FezzWireResponse::decode(message).is_err());
        assert!(ciborium::from_reader::<owned::FezzWireResponse, _>(message).is_err(), "{message:02x?}");
    }
}
