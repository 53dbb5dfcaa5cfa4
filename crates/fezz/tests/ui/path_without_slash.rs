use fezz::prelude::*;

#[fezz_function(path = "api/todos")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
