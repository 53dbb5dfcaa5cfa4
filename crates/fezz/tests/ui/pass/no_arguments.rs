use fezz::prelude::*;

#[fezz_function]
fn todos(_: Request) {}

fn main() {}
