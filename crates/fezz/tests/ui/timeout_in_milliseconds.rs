use fezz::prelude::*;

#[fezz_function(timeout = 30000)]
fn todos() {}

fn main() {}
