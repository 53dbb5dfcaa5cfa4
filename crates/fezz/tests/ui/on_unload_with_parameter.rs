use fezz::prelude::*;

#[fezz_function(on_unload = close)]
fn todos() {}

fn close(_: u32) {}

fn main() {}
