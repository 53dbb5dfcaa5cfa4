use fezz::prelude::*;

#[fezz_function]
fn todos(_: FezzRequest) {}

fn main() {}
