use fezz::prelude::*;

#[fezz_function(path = "/a", path = "/b")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
