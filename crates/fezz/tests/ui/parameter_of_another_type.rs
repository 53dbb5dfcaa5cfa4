use fezz::prelude::*;

#[fezz_function(path = "/todos/{id}")]
fn todos(id: u32) -> String {
    id.to_string()
}

fn main() {}
