use fezz::prelude::*;

#[fezz_function(path = ["/api/todos", "/api/todos?id={id}"])]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
