use fezz::prelude::*;

#[fezz_function]
unsafe fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
