use fezz::prelude::*;

#[fezz_function]
fn todos(_: Request) -> Option<Response> {
    None
}

fn main() {}
