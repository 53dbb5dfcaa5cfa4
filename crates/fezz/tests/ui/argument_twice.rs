use fezz::prelude::*;

#[fezz_function(path = "/a", path = "/b")]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
