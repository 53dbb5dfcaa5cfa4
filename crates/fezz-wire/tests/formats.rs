//! Both messages in the formats beside CBOR: round trips of everything, and a named error for each way to break a rule.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

use fezz_wire::frame::{Format, Header, Kind, VERSION};
use fezz_wire::owned;
use fezz_wire::{
    ErrorKind, FezzWireError, FezzWireRequest, FezzWireResponse, Meta, PAIRS_MAX, chain, json, message_pack,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_request_survives_each_format(
        uri in "/[!-~]{0,60}",
        texts in vec(option::of(any::<String>()), 4),
        headers in vec(("[a-z-]{1,12}", vec(any::<u8>(), 0..300)), 0..30),
        params in btree_map(any::<String>(), any::<String>(), 0..30),
        body in prop_oneof![vec(any::<u8>(), 0..5000), any::<String>().prop_map(String::into_bytes)],
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
        let expected = owned::FezzWireRequest::from(&request);
        prop_assert_eq!(&json::decode_request(&json::encode_request(&request)).unwrap(), &expected);
        let packed = message_pack::encode_request(&request);
        prop_assert_eq!(&message_pack::decode_request(&packed).unwrap(), &expected);
        prop_assert_eq!(packed, rmp_serde::to_vec_named(&expected).unwrap(), "the owned types, as maps");
    }

    #[test]
    fn a_response_survives_each_format(
        status in 200_u16..=599,
        headers in vec(("[a-z-]{1,12}", vec(any::<u8>(), 0..300)), 0..30),
        body in prop_oneof![vec(any::<u8>(), 0..5000), any::<String>().prop_map(String::into_bytes)],
        error in option::of((any::<bool>(), any::<String>())),
    ) {
        let kind = |panicked| if panicked { ErrorKind::Panicked } else { ErrorKind::Returned };
        let error = error.as_ref().map(|(panicked, message)| FezzWireError { kind: kind(*panicked), message });
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let response = FezzWireResponse { status, headers, body: &body, error };
        let expected = owned::FezzWireResponse::from(&response);
        prop_assert_eq!(&json::decode_response(&json::encode_response(&response)).unwrap(), &expected);
        let packed = message_pack::encode_response(&response);
        prop_assert_eq!(&message_pack::decode_response(&packed).unwrap(), &expected);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = (json::decode_request(&bytes), json::decode_response(&bytes));
        let _ = (message_pack::decode_request(&bytes), message_pack::decode_response(&bytes));
    }

    #[test]
    fn a_message_that_is_cut_or_followed_by_a_byte_is_refused(cut in 0_usize..1000) {
        let response = FezzWireResponse { status: 200, headers: vec![("a", b"\xff")], body: b"\xff", error: None };
        for (whole, packed) in [(json::encode_response(&response), false), (message_pack::encode_response(&response), true)] {
            let decode = |bytes: &[u8]| if packed { message_pack::decode_response(bytes) } else { json::decode_response(bytes) };
            prop_assert!(decode(&whole[..cut % whole.len()]).is_err());
            prop_assert!(decode(&[&whole[..], b"0"].concat()).is_err());
        }
    }
}

#[test]
fn json_is_what_the_documents_show() {
    let meta = Meta {
        request_id: "r1",
        function: "items",
        version: "v1",
        deadline_ms: 30_000,
        client_ip: None,
        original_uri: None,
    };
    let mut request = FezzWireRequest {
        method: "POST",
        uri: "/items?n=1",
        authority: None,
        scheme: None,
        headers: vec![("x-name", b"Zo\xeb")],
        params: [("id", "7")].into(),
        body: "café".as_bytes(),
        meta,
    };
    let start = r#"{"method":"POST","uri":"/items?n=1","headers":[["x-name","Zoë"]],"params":{"id":"7"},"meta":{"request_id":"r1","function":"items","version":"v1","deadline_ms":30000},"#;
    let written = |request: &FezzWireRequest<'_>| String::from_utf8(json::encode_request(request)).unwrap();
    assert_eq!(written(&request), format!("{start}\"body\":\"café\"}}"));
    request.body = b"\xff\x00";
    assert_eq!(written(&request), format!("{start}\"body_base64\":\"/wA=\"}}"));
}

#[test]
fn the_page_of_the_wire_shows_valid_frames_and_messages() {
    const PAGE: &str = include_str!("../../../docs/wire.md");
    let frame = |length, kind, format, id| Header { length, kind, format, id }.encode();
    for bytes in [
        frame(0, Kind::Hello, Format::Json, VERSION),
        frame(0, Kind::Ping, Format::None, 1),
        frame(0, Kind::Pong, Format::None, 1),
        frame(300, Kind::Request, Format::Json, 7),
        frame(87, Kind::Response, Format::Json, 7),
    ] {
        let hex = |range: std::ops::Range<usize>| -> String {
            bytes[range].iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let line = [hex(0..4), hex(4..5), hex(5..6), hex(6..8), hex(8..16)].join(" ");
        assert!(PAGE.contains(&format!("\n{line}\n")), "{line}");
    }
    let blocks: Vec<&str> =
        PAGE.split("```json\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    let (request, response) = (blocks[0].as_bytes(), blocks[1].as_bytes());
    assert_eq!(json::decode_request(request).unwrap().headers[0].1.as_slice(), b"Zo\xeb");
    assert_eq!(
        (json::decode_response(response).unwrap().body.as_slice(), response.len()),
        (&b"[\"tea\"]"[..], 87)
    );
}

#[test]
fn what_is_left_out_or_null_is_empty_and_unknown_keys_are_ignored() {
    let empty =
        owned::FezzWireResponse { status: 204, headers: vec![], error: None, body: Default::default() };
    for text in [r#"{"status":204}"#, r#" {"later":[[[1]]],"status":204,"error":null,"body":null} "#] {
        assert_eq!(json::decode_response(text.as_bytes()).unwrap(), empty, "{text}");
    }
    // {"later": [1], "status": 204}
    assert_eq!(message_pack::decode_response(b"\x82\xa5later\x91\x01\xa6status\xcc\xcc").unwrap(), empty);
}

#[test]
fn each_broken_rule_of_json_is_named() {
    let many =
        |pairs: usize| format!(r#"{{"status":200,"headers":[{}]}}"#, vec![r#"["a",""]"#; pairs].join(","));
    assert!(json::decode_response(many(PAIRS_MAX).as_bytes()).is_ok());
    for (text, expected) in [
        ("[]", "invalid length 0"),
        ("{}", "missing field `status`"),
        (r#"{"status":99}"#, "`status` is 99, outside 200 to 599"),
        (r#"{"status":"200"}"#, "invalid type: string"),
        (r#"{"status":200,"status":200}"#, "duplicate field `status`"),
        (r#"{"status":200} 1"#, "trailing characters"),
        (r#"{"status":200,"headers":{"a":"b"}}"#, "`headers`: an array of [name, value]"),
        (r#"{"status":200,"headers":[["a","\u0100"]]}"#, "a header's value has U+0100, the limit is U+00FF"),
        (r#"{"status":200,"body":"a","body_base64":"YQ=="}"#, "both `body` and `body_base64`"),
        (r#"{"status":200,"body_base64":"YQ"}"#, "`body_base64` is not base64"),
        (r#"{"status":200,"body":"\ud800"}"#, "unexpected end of hex escape"),
        (&many(PAIRS_MAX + 1), "`headers` holds more than 1024 pairs"),
    ] {
        let said = chain(&json::decode_response(text.as_bytes()).unwrap_err());
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_parameter_twice_is_refused() {
    let meta = r#""meta":{"request_id":"r","function":"f","version":"v","deadline_ms":1}"#;
    let text = format!(r#"{{"method":"GET","uri":"/","params":{{"a":"1","a":"2"}},{meta}}}"#);
    let said = chain(&json::decode_request(text.as_bytes()).unwrap_err());
    assert!(said.contains("key `a` is twice in `params`"), "{said}");
}

#[test]
fn message_pack_trusts_no_length_and_no_depth() {
    // {"status": 204, "body": bin of 4 GiB - 1}
    assert!(message_pack::decode_response(b"\x82\xa6status\xcc\xcc\xa4body\xc6\xff\xff\xff\xff").is_err());
    // {"status": 204, "headers": array of 4 Gi - 1}
    assert!(message_pack::decode_response(b"\x82\xa6status\xcc\xcc\xa7headers\xdd\xff\xff\xff\xff").is_err());
    // {"status": 204, "later": [[[...]]]}
    let deep = [&b"\x82\xa6status\xcc\xcc\xa5later"[..], &[0x91; 100_000]].concat();
    assert!(chain(&message_pack::decode_response(&deep).unwrap_err()).contains("depth limit exceeded"));
}

#[test]
fn an_error_quotes_only_the_beginning_of_a_long_text() {
    let long = "\u{200b}".repeat(1 << 20);
    let meta = r#""meta":{"request_id":"r","function":"f","version":"v","deadline_ms":1}"#;
    let twice = format!(r#"{{"method":"GET","uri":"/","params":{{"{long}":"1","{long}":"2"}},{meta}}}"#);
    let mut sentences = vec![chain(&json::decode_request(twice.as_bytes()).unwrap_err())];
    for value in [
        r#""LONG""#,
        r#"{"status":"LONG"}"#,
        r#"{"status":200,"headers":"LONG"}"#,
        r#"{"status":200,"headers":["LONG"]}"#,
        r#"{"status":200,"error":"LONG"}"#,
        r#"{"status":200,"error":{"kind":"k","message":[]},"LONG":1}"#,
        r#"{"LONG":1}"#,
    ] {
        let text = value.replace("LONG", &long);
        let packed = rmp_serde::to_vec(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap();
        sentences.push(chain(&json::decode_response(text.as_bytes()).unwrap_err()));
        sentences.push(chain(&message_pack::decode_response(&packed).unwrap_err()));
    }
    for sentence in sentences {
        assert!(sentence.len() < 500, "{} bytes", sentence.len());
    }
    let sentence = chain(&json::decode_response(br#"{"status":"200"}"#).unwrap_err());
    assert!(sentence.contains(r#"invalid type: string "200", expected u16 at line 1"#), "{sentence}");
}
