use fezz::prelude::*;

#[fezz_function(path = "api/todos")]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
