use fezz::prelude::*;

#[fezz_function]
fn call(request: FezzRequest) -> FezzResponse {
    let _ = request;
    self::MANIFEST.into_response()
}

const MANIFEST: &str = "the author's";

fn main() {}
