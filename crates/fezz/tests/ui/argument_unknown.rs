use fezz::prelude::*;

#[fezz_function(pth = "/")]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
