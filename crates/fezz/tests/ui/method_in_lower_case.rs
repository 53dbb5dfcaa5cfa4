use fezz::prelude::*;

#[fezz_function(method = ["GET", "post"], path = "/")]
fn todos(_: Request) -> &'static str {
    "todos"
}

fn main() {}
