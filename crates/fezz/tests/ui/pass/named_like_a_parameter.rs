use fezz::prelude::*;

#[fezz_function]
fn request(context: Request, request: Context) -> String {
    format!("{} {}", context.uri(), request.request_id())
}

fn main() {}
