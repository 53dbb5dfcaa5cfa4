use fezz::prelude::*;

#[fezz_function(pth = "/")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
