use fezz::prelude::*;

#[fezz_function(on_load = load)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
