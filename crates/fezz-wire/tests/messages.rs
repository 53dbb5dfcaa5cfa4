//! The wire's rules: round trips of everything, and a named error for each way to break them.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

mod cases;

use cases::{broken_responses, response_with};
use fezz_wire::{
    ErrorKind, FezzWireError, FezzWireRequest, FezzWireResponse, Framer, Meta, PAIRS_MAX, Progress, WireError,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn request(body: &[u8]) -> FezzWireRequest<'_> {
    FezzWireRequest {
        method: "POST",
        uri: "/a?b=c",
        authority: None,
        scheme: None,
        headers: vec![("a", b"1"), ("b", b"\xff"), ("a", b"2")],
        params: [("id", "7")].into(),
        body,
        meta: Meta {
            request_id: "r",
            function: "f",
            version: "v1",
            deadline_ms: 9,
            client_ip: Some("::1"),
            original_uri: Some("/rpc/f/a?b=c"),
        },
    }
}

proptest! {
    #[test]
    fn a_request_comes_back_as_it_was(
        method in "[A-Z]{1,8}",
        uri in "/[!-~]{0,60}",
        authority in proptest::option::of("[a-z.:0-9]{1,20}"),
        original_uri in proptest::option::of("/[!-~]{0,60}"),
        headers in vec(("[a-z-]{1,12}", vec(any::<u8>(), 0..40)), 0..30),
        params in btree_map(any::<String>(), any::<String>(), 0..8),
        body in vec(any::<u8>(), 0..70_000),
        deadline_ms in any::<u64>(),
    ) {
        let request = FezzWireRequest {
            method: &method,
            uri: &uri,
            authority: authority.as_deref(),
            scheme: Some("http"),
            headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            params: params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            body: &body,
            meta: Meta {
                request_id: "r",
                function: "f",
                version: "v",
                deadline_ms,
                client_ip: None,
                original_uri: original_uri.as_deref(),
            },
        };
        let message = request.encode();
        prop_assert_eq!(FezzWireRequest::decode(&message), Ok(request));
    }

    #[test]
    fn a_response_comes_back_as_it_was(
        status in 200_u16..=599,
        headers in vec(("[a-z-]{1,12}", vec(any::<u8>(), 0..40)), 0..30),
        body in vec(any::<u8>(), 0..5000),
        message in proptest::option::of(any::<String>()),
    ) {
        let error = message.as_deref().map(|message| FezzWireError { kind: ErrorKind::Panicked, message });
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let response = FezzWireResponse { status, headers, body: &body, error };
        let message = response.encode();
        prop_assert_eq!(FezzWireResponse::decode(&message), Ok(response));
    }

    #[test]
    fn no_bytes_whatever_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = FezzWireRequest::decode(&bytes);
        let _ = FezzWireResponse::decode(&bytes);
    }

    #[test]
    fn a_message_with_a_flipped_byte_makes_no_decoder_panic(at in 0_usize..60, with in any::<u8>()) {
        let mut message = request(b"body").encode();
        message[at] = with;
        let _ = FezzWireRequest::decode(&message);
        let _ = FezzWireResponse::decode(&message);
    }

    #[test]
    fn a_framer_finds_the_end_whatever_the_pieces(cuts in vec(1_usize..40, 1..40), body in vec(any::<u8>(), 0..500)) {
        let message = request(&body).encode();
        let mut framer = Framer::default();
        let mut received = 0;
        for cut in cuts.iter().cycle() {
            received = (received + cut).min(message.len());
            match framer.advance(&message[..received]).unwrap() {
                Progress::Complete { bytes } => {
                    prop_assert_eq!((bytes, received), (message.len(), message.len()));
                    break;
                }
                Progress::Partial { at_least } => {
                    prop_assert!(received < at_least && at_least <= message.len());
                }
            }
        }
    }

    #[test]
    fn every_cut_of_a_message_is_truncated(cut in 1_usize..100) {
        let message = request(b"body").encode();
        let short = &message[..message.len() - cut];
        prop_assert_eq!(FezzWireRequest::decode(short), Err(WireError::Truncated { bytes: short.len() }));
    }
}

fn check(message: &[u8], expected: WireError) {
    assert_eq!(FezzWireResponse::decode(message).unwrap_err(), expected, "{message:02x?}");
}

#[test]
fn each_broken_rule_has_its_error() {
    for (message, expected) in broken_responses() {
        check(&message, expected);
    }
}

#[test]
fn a_status_that_is_no_answer_is_refused() {
    for (status, bytes) in
        [(99_u64, &b"\x18\x63"[..]), (101, b"\x18\x65"), (199, b"\x18\xc7"), (600, b"\x19\x02\x58")]
    {
        let message = [b"\xa1\x66status", bytes].concat();
        check(&message, WireError::OutOfRange { key: "status", value: status, allowed: "200 to 599" });
    }
}

#[test]
fn a_length_beyond_the_input_is_refused() {
    // A few bytes whose headers claim 4 GiB and more: each is refused, since the content is missing.
    for announced in [
        &b"\x67headers\x9b\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\x64body\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let message = response_with(1, announced);
        check(&message, WireError::Truncated { bytes: message.len() });
    }
}

#[test]
fn more_headers_than_the_limit_are_refused() {
    let headers = vec![("a", &b""[..]); PAIRS_MAX + 1];
    let message = FezzWireResponse { status: 200, headers, body: b"", error: None }.encode();
    check(&message, WireError::TooManyPairs { key: "headers", max: PAIRS_MAX });
}

#[test]
fn more_unknown_keys_than_the_limit_are_refused() {
    let with_keys = |count: usize| {
        let mut message = b"\xbf\x66status\x18\xc8".to_vec();
        for number in 1..count {
            message.extend_from_slice(format!("\x64{number:04}\x00").as_bytes());
        }
        message.push(0xff);
        message
    };
    assert!(FezzWireResponse::decode(&with_keys(PAIRS_MAX)).is_ok());
    check(&with_keys(PAIRS_MAX + 1), WireError::TooManyPairs { key: "the message", max: PAIRS_MAX });
}

#[test]
fn indefinite_maps_and_unknown_keys_are_understood() {
    // {_ "later": [_ 1, {"x": null}], "status": 204, "tagged": 1(2), "headers": [_ ["a", h'62']]}
    let message = b"\xbf\x65later\x9f\x01\xa1\x61x\xf6\xff\x66status\x18\xcc\x66tagged\xc1\x02\x67headers\x9f\x82\x61a\x41b\xff\xff";
    let response = FezzWireResponse::decode(message).unwrap();
    assert_eq!((response.status, response.headers), (204, vec![("a", &b"b"[..])]));
}

#[test]
fn the_framer_reports_at_once_that_a_message_will_be_too_long() {
    let announced = response_with(1, b"\x64body\x5a\x40\x00\x00\x00");
    let progress = Framer::default().advance(&announced).unwrap();
    assert_eq!(progress, Progress::Partial { at_least: announced.len() + (1 << 30) });
}
