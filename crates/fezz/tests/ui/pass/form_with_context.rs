#![deny(warnings)]
use fezz::prelude::*;

#[fezz_function(id = "hello-world", version = "v1", method = "GET", path = "/api/hello")]
async fn hello(req: FezzRequest, ctx: &FunctionContext) -> Result<FezzResponse, FezzError> {
    let name = req.get_header("X-Name").cloned().unwrap_or_else(|| "World".to_string());
    assert_eq!(ctx.function_name(), "test");
    Ok(FezzResponse::text(format!("Hello, {}!", name)))
}

fn main() {
    let request = FezzRequest::new("GET", "/api/hello").with_header("x-name", "Ada");
    assert_eq!(HelloFunction::new().call(request).bytes(), b"Hello, Ada!");
    assert_eq!(HelloFunction::new().manifest().routes[0].path, "/api/hello");
}
