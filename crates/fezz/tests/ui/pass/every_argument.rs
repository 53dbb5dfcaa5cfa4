use fezz::prelude::*;

#[fezz_function(
    id = "todos",
    version = "v3",
    description = "the \"to-do\" list",
    timeout = "30s",
    method = "GET",
    path = "/api/todos/{id}",
)]
pub fn todos(request: FezzRequest, context: &FunctionContext) -> impl IntoResponse {
    format!("{} {}", request.uri(), context.request_id())
}

fn main() {}
