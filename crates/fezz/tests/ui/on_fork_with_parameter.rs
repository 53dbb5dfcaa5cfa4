use fezz::prelude::*;

#[fezz_function(on_fork = reseed)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn reseed(_: &fezz::LoadContext) {}

fn main() {}
