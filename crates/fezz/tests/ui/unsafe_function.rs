use fezz::prelude::*;

#[fezz_function]
unsafe fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
