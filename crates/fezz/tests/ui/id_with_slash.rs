use fezz::prelude::*;

#[fezz_function(id = "team/todos")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
