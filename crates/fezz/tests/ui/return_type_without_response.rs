use fezz::prelude::*;

#[fezz_function]
fn todos(_: FezzRequest) -> Option<FezzResponse> {
    None
}

fn main() {}
