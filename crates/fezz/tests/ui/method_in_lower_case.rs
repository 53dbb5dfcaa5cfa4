use fezz::prelude::*;

#[fezz_function(method = ["GET", "post"], path = "/")]
fn todos(_: FezzRequest) -> &'static str {
    "todos"
}

fn main() {}
