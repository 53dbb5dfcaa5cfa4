use fezz::prelude::*;

#[fezz_function]
fn todos(_: &mut FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
