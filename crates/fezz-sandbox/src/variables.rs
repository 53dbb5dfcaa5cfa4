//! The environment by which `cargo fezz test` tells an author's tests what to send requests to.

/// The folder of the built function.
pub const FUNCTION: &str = "FEZZ_TEST_FUNCTION";

/// The program `fezz-runner`.
pub const RUNNER: &str = "FEZZ_TEST_RUNNER";

/// The name of a [`Jail`](crate::Jail); `strict` where it isn't one.
pub const JAIL: &str = "FEZZ_TEST_JAIL";

/// The folder of secrets, if there is one.
pub const SECRETS: &str = "FEZZ_TEST_SECRETS";
