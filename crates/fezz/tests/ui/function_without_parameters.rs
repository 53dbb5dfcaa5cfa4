use fezz::prelude::*;

#[fezz_function]
fn todos() -> &'static str {
    "todos"
}

fn main() {}
