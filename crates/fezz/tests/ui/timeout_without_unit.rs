use fezz::prelude::*;

#[fezz_function(timeout = "30")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
