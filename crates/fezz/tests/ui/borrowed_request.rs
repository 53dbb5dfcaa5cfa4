use fezz::prelude::*;

#[fezz_function]
fn todos(_: &Request) -> &'static str {
    "todos"
}

fn main() {}
