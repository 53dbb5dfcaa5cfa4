use fezz::prelude::*;

#[fezz_function(timeout = "30")]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
