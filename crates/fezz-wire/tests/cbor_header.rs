//! `include/fezz_cbor.h` against this crate: the C reader accepts what the Rust decoder accepts and refuses what it refuses,
//! for the same reason, and the Rust decoder reads what the C writer writes.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

mod cases;
mod driver;

use cases::{broken_contexts, broken_responses};
use driver::{Driver, Line, include_path};
use fezz_wire::abi::{LoadContext, decode_load_context, encode_lasting_load_context, encode_load_context};
use fezz_wire::{ErrorKind, FezzWireRequest, FezzWireResponse, PAIRS_MAX, WireError};
use std::process::Command;
use std::time::{Duration, Instant};

/// The keys of a request, each with a value as bytes; the last six are those of `meta`.
const KEYS: [(&str, &[u8]); 14] = [
    ("method", b"\x63GET"),
    ("uri", b"\x62/a"),
    ("authority", b"\x69localhost"),
    ("scheme", b"\x64http"),
    ("headers", b"\x82\x82\x66x-name\x43Ada\x9f\x61b\x42\xff\x00\xff"),
    ("params", b"\xa2\x62id\x617\x61z\x60"),
    ("body", b"\x44body"),
    ("later", b"\xc1\x9f\x01\xa1\x61x\xf6\xff"),
    ("request_id", b"\x61r"),
    ("function", b"\x61f"),
    ("version", b"\x62v1"),
    ("deadline_ms", b"\x19\x01\x2c"),
    ("client_ip", b"\x63::1"),
    ("original_uri", b"\x67/rpc/f/"),
];
const OF_META: usize = 6;

/// What may stand in a value's place: each type of item, lengths of each kind, texts that are not UTF-8, and deep nesting.
const VALUES: [&[u8]; 36] = [
    b"\x00",
    b"\x18\xff",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x20",
    b"\x40",
    b"\x41\xff",
    b"\x60",
    b"\x61\xff",
    b"\x62\xc0\x80",
    b"\x63\xed\xa0\x80",
    b"\x63\xe2\x82\xac",
    b"\x64\xf4\x90\x80\x80",
    b"\x64\xf0\x9f\x92\xa1",
    b"\x78\x01a",
    b"\x7f\x61a\xff",
    b"\x5f\xff",
    b"\x80",
    b"\x81\x80",
    b"\x81\x81\x61a",
    b"\x81\x82\x61a\x61b",
    b"\x81\x9f\x61a\x41b\xff",
    b"\x9f\xff",
    b"\x9f\x82\x61a\x40\xff",
    b"\x9f\xc1\xff",
    b"\xa0",
    b"\xa1\x61a\x61b",
    b"\xa1\x61a\x00",
    b"\xa2\x61a\x60\x61a\x60",
    b"\xbf\x61a\x60\xff",
    b"\xbf\x61a\xff",
    b"\xc1\x61a",
    b"\xf6",
    b"\xfb\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x1c",
    b"\xff",
];

fn map(pairs: &[(&str, Vec<u8>)], indefinite: bool) -> Vec<u8> {
    let mut bytes = vec![if indefinite { 0xbf } else { 0xa0 + pairs.len() as u8 }];
    for (key, value) in pairs {
        bytes.push(0x60 + key.len() as u8);
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(value);
    }
    bytes.extend(indefinite.then_some(0xff));
    bytes
}

/// The request of these keys, of which the last `of_meta` go into `meta`.
fn message(keys: &[(&str, &[u8])], of_meta: usize, indefinite: bool) -> Vec<u8> {
    let mut pairs: Vec<_> = keys.iter().map(|(key, value)| (*key, value.to_vec())).collect();
    let meta = pairs.split_off(keys.len() - of_meta);
    pairs.push(("meta", map(&meta, indefinite)));
    map(&pairs, indefinite)
}

/// A request with every key; every key left out, given twice, and with every other value; every broken response.
fn requests() -> Vec<Vec<u8>> {
    let mut all = vec![message(&KEYS, OF_META, false), message(&KEYS, OF_META, true)];
    for at in 0..KEYS.len() {
        let in_meta = at + OF_META >= KEYS.len();
        let mut keys = KEYS.to_vec();
        keys.remove(at);
        all.push(message(&keys, OF_META - usize::from(in_meta), false));
        keys.insert(at, KEYS[at]);
        keys.insert(at, KEYS[at]);
        all.push(message(&keys, OF_META + usize::from(in_meta), false));
        keys.remove(at);
        for value in VALUES {
            keys[at].1 = value;
            all.extend([false, true].map(|indefinite| message(&keys, OF_META, indefinite)));
        }
    }
    all.extend(broken_responses().into_iter().map(|(message, _)| message));
    all
}

#[test]
fn the_header_compiles_without_a_warning_as_c99_and_as_cpp17() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/driver.c");
    for (compiler, flags) in
        [("cc", &["-std=c99", "-Wpedantic", "-Wconversion"][..]), ("c++", &["-xc++", "-std=c++17"])]
    {
        let mut command = Command::new(compiler);
        command.args(flags).args([
            "-Wall",
            "-Wextra",
            "-Wshadow",
            "-Werror",
            "-fsyntax-only",
            "-I",
            include_path(),
        ]);
        assert!(command.arg(source).status().unwrap().success(), "{compiler}");
    }
}

#[test]
fn the_c_reader_accepts_and_refuses_what_the_rust_decoder_does() {
    let requests = requests();
    let accepted = check(&requests);
    assert!(accepted > 50 && accepted < requests.len() / 2, "{accepted} of {}", requests.len());
}

#[test]
fn the_c_reader_and_the_rust_decoder_agree_on_mutated_messages() {
    const MUTATIONS: usize = 20_000;
    let mut random = Random(7);
    let seeds = [message(&KEYS, OF_META, false), message(&KEYS, OF_META, true)];
    let mutated: Vec<_> = (0..MUTATIONS).map(|number| random.mutate(&seeds[number % 2])).collect();
    let accepted = check(&mutated);
    assert!(accepted > MUTATIONS / 20, "{accepted}: hardly any mutation leaves a request");
}

#[test]
fn more_pairs_than_the_limit_are_refused() {
    let with = |key: &'static str, value: Vec<u8>| {
        let keys = KEYS.map(|(known, usual)| if known == key { (known, &value[..]) } else { (known, usual) });
        message(&keys, OF_META, true)
    };
    let texts = |count: usize| {
        let pairs = (0..count).flat_map(|number| format!("\x64{number:04}\x60").into_bytes());
        [vec![0xbf], pairs.collect(), vec![0xff]].concat()
    };
    let headers = |count: usize| [vec![0x9f], b"\x82\x61a\x40".repeat(count), vec![0xff]].concat();
    let requests = [PAIRS_MAX, PAIRS_MAX + 1]
        .map(|count| [with("params", texts(count)), with("headers", headers(count))])
        .concat();
    assert_eq!(check(&requests), 2);
}

#[test]
fn a_large_value_among_many_unknown_keys_is_walked_a_few_times_only() {
    const ITEMS: usize = 2 << 20;
    let unknown: String = (0..1000).map(|number| format!("\x65k{number:04}\x00")).collect();
    let known = message(&KEYS, OF_META, true);
    let large = [b"\x65large\x9a", &(ITEMS as u32).to_be_bytes()[..], &vec![0; ITEMS]].concat();
    let with = |some: &[u8], more: &[u8]| [b"\xbf", some, unknown.as_bytes(), more, &known[1..]].concat();
    let begun = Instant::now();
    assert_eq!(check(&[with(&large, b"")]), 1);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let twice: Vec<_> =
        (0..1000).map(|number| with(b"", format!("\x65k{number:04}\x00").as_bytes())).collect();
    assert_eq!(check(&twice), 0);
}

/// Has C and Rust read each message, and compares the results. Returns how many are valid.
fn check(requests: &[Vec<u8>]) -> usize {
    let lines = Driver::get().read(&[], requests);
    let mut accepted = 0;
    for (message, mut line) in requests.iter().zip(lines) {
        match FezzWireRequest::decode(message) {
            Err(error) => assert_eq!(line.status(), status_of(&error), "{error}: {message:02x?}"),
            Ok(request) => {
                accepted += 1;
                assert_eq!(line.status(), 0, "{message:02x?}");
                assert_reads(&mut line, &request);
                assert_echoes(&line.last(), &request);
            }
        }
    }
    accepted
}

fn assert_reads(line: &mut Line, request: &FezzWireRequest<'_>) {
    let meta = &request.meta;
    let texts = [Some(request.method), Some(request.uri), request.authority, request.scheme];
    assert_eq!(texts.map(|_| line.text()), texts.map(|text| text.map(str::to_owned)));
    assert_eq!(line.bytes().as_deref(), Some(request.body));
    let ids = [meta.request_id, meta.function, meta.version].map(Some);
    let texts = [ids[0], ids[1], ids[2], meta.client_ip, meta.original_uri];
    assert_eq!(texts.map(|_| line.text()), texts.map(|text| text.map(str::to_owned)));
    assert_eq!(line.word(), meta.deadline_ms.to_string());
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
    assert_eq!(line.pairs(), headers);
    let mut params = line.pairs();
    params.sort();
    let expected: Vec<_> = request
        .params
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    assert_eq!(params, expected);
    let named = request.headers.iter().find(|(name, _)| *name == "x-name");
    assert_eq!(line.bytes(), named.map(|(_, value)| value.to_vec()));
    assert_eq!(line.bytes(), request.params.get("id").map(|value| value.as_bytes().to_vec()));
}

/// The driver answers with the deadline as status, the headers and the body of the request.
fn assert_echoes(response: &[u8], request: &FezzWireRequest<'_>) {
    let response = FezzWireResponse::decode(response).unwrap();
    let status = u16::try_from(request.meta.deadline_ms as u32).ok();
    if let Some(status) = status.filter(|status| FezzWireResponse::STATUSES.contains(status)) {
        assert_eq!((response.status, response.error), (status, None));
        assert_eq!((response.headers, response.body), (request.headers.clone(), request.body));
    } else {
        assert_eq!(response.error.unwrap().message, "the response's status is outside 200 to 599");
    }
}

/// The numbers of `FezzStatus`.
fn status_of(error: &WireError) -> u32 {
    match error {
        WireError::Truncated { .. } => 1,
        WireError::Malformed { .. } => 2,
        WireError::NotAMap => 3,
        WireError::TrailingBytes { .. } => 4,
        WireError::TooDeep { .. } => 5,
        WireError::IndefiniteString { .. } => 6,
        WireError::MissingKey { .. } => 7,
        WireError::DuplicateKey { .. } => 8,
        WireError::WrongType { .. } => 9,
        WireError::NotUtf8 { .. } => 10,
        WireError::TooManyPairs { .. } => 11,
        WireError::OutOfRange { .. } => unreachable!("a request has no number with a range"),
    }
}

#[test]
fn the_context_of_on_load_is_read_likewise() {
    let env = [("A".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())];
    let mut contexts: Vec<_> = broken_contexts().into_iter().map(|(message, _)| message).collect();
    contexts.push(encode_load_context("f", "v", &env));
    contexts.push(encode_lasting_load_context("f", "v", &env, 7));
    for (message, mut line) in contexts.iter().zip(Driver::get().read(&["load"], &contexts)) {
        match decode_load_context(message) {
            Err(error) => assert_eq!(line.status(), status_of(&error), "{error}: {message:02x?}"),
            Ok(LoadContext { function, version, env, .. }) => {
                assert_eq!(line.status(), 0);
                assert_eq!([line.text(), line.text()], [Some(function.to_owned()), Some(version.to_owned())]);
                assert_eq!(line.pairs().len(), env.len());
            }
        }
    }
}

#[test]
fn a_response_without_memory_says_so() {
    let written =
        |allocations: usize| Driver::get().read(&["memory", &allocations.to_string()], &[]).remove(0).bytes();
    assert_eq!(written(0), None);
    let message = "out of memory while writing the response";
    assert_eq!(failure(&written(1).unwrap()), message);
    assert_eq!(failure(&written(4).unwrap()), message);
    assert_eq!(FezzWireResponse::decode(&written(5).unwrap()).unwrap().body.len(), 5000);
}

#[test]
fn an_author_s_mistake_is_a_failure_that_names_it() {
    let mut line = Driver::get().read(&["mistakes"], &[]).remove(0);
    for expected in [
        "a header was added after the body: add all headers first",
        "a text is not UTF-8",
        "the response's status is outside 200 to 599",
        "no database",
        "the function failed; its message is not UTF-8",
    ] {
        assert_eq!(failure(&line.bytes().unwrap()), expected);
    }
    let ended = "the response was ended before: call fezz_response_end once, and return what it returns";
    assert_eq!(failure(&line.bytes().unwrap()), "the response's status is outside 200 to 599");
    assert_eq!([(); 2].map(|()| failure(&line.bytes().unwrap())), [ended; 2]);
    assert_eq!(FezzWireResponse::decode(&line.bytes().unwrap()).unwrap().status, 200);
    assert_eq!([(); 2].map(|()| failure(&line.bytes().unwrap())), [ended; 2]);
}

fn failure(response: &[u8]) -> String {
    let error = FezzWireResponse::decode(response).unwrap().error.unwrap();
    assert_eq!(error.kind, ErrorKind::Returned);
    error.message.to_owned()
}

/// Pseudo-random numbers that are the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    /// One or two changes: a byte set, a bit flipped, bytes removed, repeated or cut off, an item put in.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(2) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(8)).min(bytes.len());
            match self.below(6) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 if bytes.len() > 16 => drop(bytes.drain(at..end)),
                3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                4 if at > 16 => bytes.truncate(at),
                _ => drop(bytes.splice(at..at, VALUES[self.below(VALUES.len())].to_vec())),
            }
        }
        bytes
    }
}
