//! `#[fezz_app]` with fezz's own router: built once, by `on_load`, and its routes in the manifest.

mod common;

use common::{handle, request};
use fezz::prelude::*;
use fezz_wire::abi::{FezzOwned, FezzSlice, encode_load_context};
use std::sync::atomic::{AtomicU32, Ordering};

static BUILT: AtomicU32 = AtomicU32::new(0);

#[fezz_app(id = "todos")]
fn app() -> Router {
    BUILT.fetch_add(1, Ordering::SeqCst);
    Router::new()
        .get("/todos", async |limit: Option<fezz::Headers>| format!("{}", limit.is_some()))
        .post("/todos", |body: Bytes, headers: Headers| (201, headers, body))
        .get("/todos/new", || "new")
        .any("/todos/{id}", |request: FezzRequest| request.param("id").unwrap_or("none").to_owned())
        .delete("/todos/{id}", async || StatusCode::NO_CONTENT)
        .fallback(|request: FezzRequest| (404, format!("no {}", request.path)))
}

unsafe extern "C" {
    fn fezz_on_load_v2(context: FezzSlice) -> FezzOwned;
}

fn send(method: &str, uri: &str) -> (u16, String) {
    let mut message = request(uri);
    message.method = method;
    let answer = handle(&message.encode());
    assert!(answer.error.is_none() && answer.headers.len() < 8);
    (answer.status, answer.body)
}

#[test]
fn the_most_exact_route_of_the_method_answers() {
    for (method, uri, status, body) in [
        ("GET", "/todos?x", 200, "true"),
        ("POST", "/todos", 201, ""),
        ("GET", "/todos/new", 200, "new"),
        ("GET", "/todos/a%20b", 200, "a b"),
        ("PATCH", "/todos/7", 200, "7"),
        ("DELETE", "/todos/7", 204, ""),
        ("HEAD", "/todos", 200, "true"),
        ("GET", "/other", 404, "no /other"),
    ] {
        assert_eq!(send(method, uri), (status, body.to_owned()), "{method} {uri}");
    }
    assert_eq!(send("DELETE", "/todos").0, 405);
    assert_eq!(send("GET", "/todos/%ff").0, 400);
}

#[test]
fn an_app_is_built_once_and_before_any_request() {
    let context = encode_load_context("todos", "v1", &[]);
    // SAFETY: the slice must be readable for the call, and `context` is borrowed for longer.
    let failure = unsafe { fezz_on_load_v2(FezzSlice { ptr: context.as_ptr(), len: context.len() }) };
    assert!(failure.ptr.is_null());
    assert_eq!(BUILT.load(Ordering::SeqCst), 1);
    send("GET", "/todos");
    assert_eq!(BUILT.load(Ordering::SeqCst), 1);
}

#[test]
fn the_routes_stand_in_the_manifest() {
    let routes: Vec<_> = APP_MANIFEST.routes.iter().map(|route| (route.path, route.methods)).collect();
    assert_eq!(routes, [("/todos", &["GET", "POST"][..]), ("/todos/new", &["GET"]), ("/todos/{id}", &[])]);
}

#[test]
#[should_panic(expected = "route `/{b}` can't be added to the router")]
fn routes_that_conflict_are_named() {
    let _ = Router::new().get("/{a}", || ()).get("/{b}", || ());
}
