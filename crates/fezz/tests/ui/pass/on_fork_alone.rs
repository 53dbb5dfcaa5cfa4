#![deny(warnings)]
use fezz::prelude::*;

#[fezz_function(on_fork = call)]
fn request(_: FezzRequest) {}

fn call() {}

fn main() {}
