use fezz::prelude::*;

#[fezz_function(on_load = load)]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
