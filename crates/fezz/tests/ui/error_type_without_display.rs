use fezz::prelude::*;

struct Broken;

#[fezz_function]
fn todos(_: Request) -> Result<Response, Broken> {
    Err(Broken)
}

fn main() {}
