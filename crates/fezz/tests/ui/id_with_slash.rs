use fezz::prelude::*;

#[fezz_function(id = "team/todos")]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
