#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub, unused, warnings)]
//! Every form of a hook.

use fezz::LoadContext;
use fezz::prelude::*;

type Result = std::result::Result<(), fezz::Error>;

#[fezz_function(path = "/", on_load = state::State::<u8>::load, on_fork = state::reseed, on_unload = state::close)]
fn call(_: FezzRequest) -> &'static str {
    "todos"
}

mod state {
    use super::{LoadContext, Result};

    pub(crate) struct State<T>(T);

    impl<T> State<T> {
        pub(crate) fn load(context: &LoadContext) -> Result {
            context.env("LIMIT").unwrap_or("10").parse::<u32>()?;
            Ok(())
        }
    }

    pub(crate) fn reseed() {}

    pub(crate) fn close() {}
}

fn main() {}
