//! `#[fezz_app]` with axum's router, without axum's server.

#![cfg(feature = "tower")]

mod common;

use axum::Router;
use axum::extract::{Extension, Path};
use axum::routing::get;
use common::{handle, request};
use fezz::FunctionContext;

#[fezz::fezz_app]
fn app() -> Router {
    Router::new().route("/todos/{id}", get(show).put(replace))
}

async fn show(Path(id): Path<u32>, Extension(context): Extension<FunctionContext>) -> String {
    format!("todo {id} for {}", context.request_id())
}

async fn replace(
    headers: axum::http::HeaderMap,
    body: String,
) -> ([(&'static str, &'static str); 1], String) {
    ([("x-seen", "1")], format!("{} {body}", headers.get_all("x-a").iter().count()))
}

#[test]
fn axums_routes_and_extractors_answer() {
    let answer = handle(&request("/todos/7?x=1").encode());
    assert_eq!((answer.status, answer.body.as_str(), answer.error), (200, "todo 7 for r1", None));
    assert_eq!(handle(&request("/todos/x").encode()).status, 400);
    assert_eq!(handle(&request("/other").encode()).status, 404);
}

#[test]
fn headers_and_bodies_pass_both_ways() {
    let mut message = request("/todos/7");
    message.method = "PUT";
    message.headers = vec![("x-a", b"1"), ("x-a", b"2")];
    message.body = b"buy milk";
    let answer = handle(&message.encode());
    assert_eq!((answer.status, answer.body.as_str()), (200, "2 buy milk"));
    assert!(answer.headers.contains(&("x-seen".to_owned(), b"1".to_vec())));
}

#[test]
fn axums_routes_stand_in_the_manifest_for_any_method() {
    assert_eq!((APP_MANIFEST.routes[0].path, APP_MANIFEST.routes[0].methods.len()), ("/todos/{id}", 0));
}
