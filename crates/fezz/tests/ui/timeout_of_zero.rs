use fezz::prelude::*;

#[fezz_function(timeout = 0)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
