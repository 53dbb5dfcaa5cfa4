use fezz::prelude::*;

#[fezz_function(path)]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
