//! The context of `fezz_on_load_v2`: it comes back as it was, and each way to break it has its error.

mod cases;

use cases::broken_contexts;
use fezz_wire::abi::{LoadContext, decode_load_context, encode_lasting_load_context, encode_load_context};
use fezz_wire::{PAIRS_MAX, WireError};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_load_context_comes_back_as_it_was(
        function in any::<String>(),
        version in any::<String>(),
        env in btree_map(any::<String>(), any::<String>(), 0..30),
        concurrency in option::of(any::<u32>()),
    ) {
        let pairs: Vec<(String, String)> = env.clone().into_iter().collect();
        let message = match concurrency {
            Some(concurrency) => encode_lasting_load_context(&function, &version, &pairs, concurrency),
            None => encode_load_context(&function, &version, &pairs),
        };
        let concurrency = concurrency.map(u64::from);
        let env = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = LoadContext { function: &function, version: &version, env, concurrency };
        prop_assert_eq!(decode_load_context(&message), Ok(expected));
    }

    #[test]
    fn no_bytes_whatever_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode_load_context(&bytes);
    }
}

fn check(message: &[u8], expected: WireError) {
    assert_eq!(decode_load_context(message), Err(expected), "{message:02x?}");
}

#[test]
fn each_broken_rule_has_its_error() {
    for (message, expected) in broken_contexts() {
        check(&message, expected);
    }
}

#[test]
fn a_variable_twice_is_refused() {
    let env = [("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())];
    check(&encode_load_context("f", "v", &env), WireError::DuplicateKey { key: "A".into(), at: 31 });
}

#[test]
fn more_variables_than_the_limit_are_refused() {
    let context_of = |variables: usize| {
        let env: Vec<_> = (0..variables).map(|number| (format!("V{number}"), String::new())).collect();
        encode_load_context("f", "v", &env)
    };
    assert!(decode_load_context(&context_of(PAIRS_MAX)).is_ok());
    check(&context_of(PAIRS_MAX + 1), WireError::TooManyPairs { key: "env", max: PAIRS_MAX });
}

#[test]
fn unknown_keys_are_ignored() {
    let message = b"\xa4\x68function\x61f\x67version\x61v\x65later\x81\x01\x63env\xa0";
    assert_eq!(decode_load_context(message).map(|context| context.function), Ok("f"));
}
