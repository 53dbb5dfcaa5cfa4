use fezz::prelude::*;

struct Broken;

#[fezz_function]
fn todos(_: FezzRequest) -> Result<FezzResponse, Broken> {
    Err(Broken)
}

fn main() {}
