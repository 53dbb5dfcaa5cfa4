#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub, unused, warnings)]
//! The macro's C functions need `unsafe`, and none of it is the author's.

use fezz::prelude::*;

#[fezz_function(path = "/")]
async fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
