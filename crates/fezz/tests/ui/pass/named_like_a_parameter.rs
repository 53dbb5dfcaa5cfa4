use fezz::prelude::*;

#[fezz_function]
fn request(answer: &FunctionContext, request: FezzRequest) -> String {
    format!("{} {}", answer.request_id(), request.uri())
}

fn main() {}
