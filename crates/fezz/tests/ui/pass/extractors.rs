#![deny(warnings)]
//! Any extractors, in any order, and the request among them.

use fezz::prelude::*;

#[fezz_request]
struct Login {
    name: String,
}

#[fezz_function(method = "POST", path = "/login/{id}")]
fn login(
    Path(id): Path<u8>,
    body: Bytes,
    request: FezzRequest,
    headers: Headers,
    query: Option<Query<Login>>,
    json: Result<Json<Login>, Rejection>,
    Form(form): Form<Login>,
    ctx: &FunctionContext,
    again: &FezzHttpRequest,
) -> String {
    assert_eq!(request.body.as_ref(), Some(&body));
    assert_eq!(*again, request);
    assert!(query.is_none() && headers.get("content-type").is_some());
    let refused = json.err().map(|rejection| rejection.status());
    format!("{id} {} {refused:?} {}", form.name, ctx.request_id())
}

#[fezz_function(export = false)]
fn nothing() {}

fn main() {
    let request = FezzRequest::new("POST", "/login/7")
        .with_header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .with_body("name=Ada")
        .with_param("id", "7");
    assert_eq!(LoginFunction::new().call(request.clone()).bytes(), b"7 Ada Some(415) test");
    let wrong = LoginFunction::new().call(request.with_body("nam=Ada"));
    assert_eq!(wrong.status(), 422);
    assert_eq!(NothingFunction::new().call(FezzRequest::new("GET", "/")).status(), 204);
}
