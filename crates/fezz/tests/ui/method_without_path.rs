use fezz::prelude::*;

#[fezz_function(method = "GET")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
