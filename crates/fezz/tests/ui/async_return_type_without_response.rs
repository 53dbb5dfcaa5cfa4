use fezz::prelude::*;

#[fezz_function]
async fn todos(_: Request) -> Option<Response> {
    None
}

fn main() {}
