use fezz::prelude::*;

#[fezz_function(timeout = 0)]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
