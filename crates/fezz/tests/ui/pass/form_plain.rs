#![deny(warnings)]
use fezz::prelude::*;

#[fezz_function]
pub fn my_function(req: FezzHttpRequest) -> FezzHttpResponse {
    answers(&req.path).unwrap_or_else(IntoResponse::into_response)
}

fn answers(path: &str) -> Result<FezzResponse, FezzError> {
    let data = [1, 2];
    Ok(match path {
        "/json" => FezzResponse::json(&data)?,
        "/error" => FezzResponse::error(StatusCode::NOT_FOUND, "Resource not found"),
        _ => FezzResponse::new(StatusCode::OK).header("X-Custom", "value").body("content"),
    })
}

fn main() {
    let call = |url| MyFunctionFunction::new().call(FezzRequest::new("GET", url));
    assert_eq!(call("/json").bytes(), b"[1,2]");
    assert_eq!(call("/error").status(), 404);
    assert_eq!((call("/").get_header("x-custom"), call("/").bytes()), (Some("value"), &b"content"[..]));
    assert_eq!(MY_FUNCTION_MANIFEST.routes[0].methods, ["GET"]);
}
