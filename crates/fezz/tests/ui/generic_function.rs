use fezz::prelude::*;

#[fezz_function]
fn todos<T: Into<String>>(_: T) -> &'static str {
    "todos"
}

fn main() {}
