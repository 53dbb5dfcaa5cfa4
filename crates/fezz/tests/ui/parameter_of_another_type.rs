use fezz::prelude::*;

#[fezz_function]
fn todos(_: Request, _: String) -> &'static str {
    "todos"
}

fn main() {}
