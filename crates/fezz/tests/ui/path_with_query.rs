use fezz::prelude::*;

#[fezz_function(path = ["/api/todos", "/api/todos?id={id}"])]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
