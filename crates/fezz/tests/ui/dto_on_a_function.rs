use fezz::prelude::*;

#[fezz_response]
fn todos() {}

fn main() {}
