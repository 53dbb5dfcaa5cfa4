use fezz::prelude::*;

#[fezz_function(on_load = load, path = "/", on_load = load)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn load(_: &fezz::LoadContext) {}

fn main() {}
