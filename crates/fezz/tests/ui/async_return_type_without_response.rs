use fezz::prelude::*;

#[fezz_function]
async fn todos(_: FezzRequest) -> Option<FezzResponse> {
    None
}

fn main() {}
