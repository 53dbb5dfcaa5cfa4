//! Messages that break one rule each, with the error. The Rust decoders are tested by them, and `fezz_cbor.h`.

#![allow(dead_code, reason = "each test binary uses the cases that concern it")]

use fezz_wire::{NESTING_MAX, WireError};

/// The response `{"status": 200, <pairs>}` with `pairs` given in bytes.
pub(crate) fn response_with(pairs: usize, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![0xa0 + 1 + pairs as u8];
    message.extend_from_slice(b"\x66status\x18\xc8");
    message.extend_from_slice(bytes);
    message
}

pub(crate) fn broken_responses() -> Vec<(Vec<u8>, WireError)> {
    let case = |message: &[u8], error| (message.to_vec(), error);
    let pair = WireError::WrongType { expected: "an array of a name and a value", at: 19 };
    vec![
        case(b"", WireError::Truncated { bytes: 0 }),
        case(b"\x80", WireError::NotAMap),
        case(b"\xa0", WireError::MissingKey { key: "status" }),
        case(b"\xa0\x00", WireError::TrailingBytes { at: 1 }),
        case(b"\xa1\x01\x02", WireError::WrongType { expected: "text", at: 1 }),
        case(b"\xa1\x61\xff\x02", WireError::NotUtf8 { at: 1 }),
        case(b"\xa1\x1c", WireError::Malformed { at: 1 }),
        case(b"\xbf\x61k\xff", WireError::Malformed { at: 3 }),
        case(b"\xa1\xff", WireError::Malformed { at: 1 }),
        case(b"\xa1\x61k\x9f\xc1\xff", WireError::Malformed { at: 5 }),
        case(b"\xbf\xc1\xff", WireError::Malformed { at: 2 }),
        case(b"\xa1\x61k\x5f\x41a\xff", WireError::IndefiniteString { at: 3 }),
        case(b"\xa1\x66status\x20", WireError::WrongType { expected: "an unsigned integer", at: 8 }),
        case(&response_with(1, b"\x61k\x81\x81\x81\x00"), WireError::TooDeep { at: 14, max: NESTING_MAX }),
        case(
            &response_with(1, b"\x66status\x18\xc8"),
            WireError::DuplicateKey { key: "status".into(), at: 10 },
        ),
        case(&response_with(2, b"\x61k\x00\x61k\x00"), WireError::DuplicateKey { key: "k".into(), at: 13 }),
        case(&response_with(1, b"\x64body\x61a"), WireError::WrongType { expected: "a byte string", at: 15 }),
        case(&response_with(1, b"\x67headers\x81\x81\x61a"), pair.clone()),
        case(&response_with(1, b"\x67headers\x81\x83\x61a\x41b\x41c"), pair),
        case(
            &response_with(1, b"\x65error\xa1\x64kind\x61k"),
            WireError::MissingKey { key: "error.message" },
        ),
    ]
}

pub(crate) fn broken_contexts() -> Vec<(Vec<u8>, WireError)> {
    let case = |message: &[u8], error| (message.to_vec(), error);
    // `{"function": "f", "version": "v", <pair>}` with `pair` given in bytes.
    let with = |pair: &[u8]| [b"\xa3\x68function\x61f\x67version\x61v", pair].concat();
    let text = |at| WireError::WrongType { expected: "text", at };
    vec![
        case(b"", WireError::Truncated { bytes: 0 }),
        case(b"\x80", WireError::NotAMap),
        case(b"\xa0", WireError::MissingKey { key: "function" }),
        case(b"\xa1\x68function\x61f", WireError::MissingKey { key: "version" }),
        case(&with(b"\x65other\x00"), WireError::MissingKey { key: "env" }),
        case(b"\xa1\x68function\x01", text(10)),
        case(&with(b"\x63env\x80"), WireError::WrongType { expected: "a map", at: 26 }),
        case(&with(b"\x63env\xa1\x61A\x41b"), text(29)),
        case(&with(b"\x67version\x61v"), WireError::DuplicateKey { key: "version".into(), at: 22 }),
    ]
}
