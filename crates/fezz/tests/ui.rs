//! What the macro accepts, and its error messages. A `.stderr` is recorded again, under the pinned toolchain,
//! with `TRYBUILD=overwrite cargo test -p fezz --test ui`.

// The compiler lists what implements a trait, and with other features these are other types.
#![cfg(all(feature = "json", not(feature = "tower")))]

#[test]
fn each_mistake_is_answered_with_the_expected_form() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn each_form_is_accepted() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}
