use fezz::prelude::*;

#[fezz_function(path)]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
