use fezz::prelude::*;

struct Todo {
    id: u32,
}

#[fezz_function]
fn todos() -> Json<Todo> {
    Json(Todo { id: 7 })
}

fn main() {}
