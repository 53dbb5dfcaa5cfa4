//! `fezz::testing` in the test's own process. The tests of cargo-fezz have the jailed half.

#![cfg(feature = "testing")]

use fezz::LoadContext;
use fezz::prelude::*;
use fezz::testing::InProcess;
use std::cell::RefCell;

thread_local! {
    static LOADED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn load(context: &LoadContext) -> Result<(), FezzError> {
    let region = context.env("REGION").ok_or("REGION is not set")?;
    LOADED.with_borrow_mut(|loaded| loaded.push(format!("{} in {region}", context.function())));
    Ok(())
}

#[fezz_request]
struct Search {
    word: String,
}

#[fezz_function(id = "search", path = "/search", method = ["GET", "POST"], on_load = load)]
fn search(request: FezzRequest<Search>, ctx: &FunctionContext) -> Result<FezzResponse, FezzError> {
    match request.data().word.as_str() {
        "panic" => panic!("out of cheese"),
        "error" => Err("no such shelf".into()),
        "header" => Ok(FezzResponse::new(200).header("x-broken", "two\nlines")),
        word => Ok(FezzResponse::text(format!("{word} in {}", ctx.env("REGION").unwrap_or("?")))),
    }
}

#[fezz_function(path = "/items/{id}", export = false)]
fn item(Path(id): Path<u32>) -> String {
    id.to_string()
}

#[fezz_app(export = false)]
fn app() -> Router {
    Router::new().get("/a/{b}", |Path(b): Path<String>| b)
}

fn searching() -> InProcess {
    InProcess::new(SearchFunction::new()).env("REGION", "eu")
}

#[test]
fn a_query_a_form_and_json_are_the_data() {
    let app = searching();
    let word = serde_json::json!({"word": "a b"});
    assert_eq!(app.get("/search").query(&word).send().text(), "a b in eu");
    assert_eq!(app.post("/search").form(&word).send().text(), "a b in eu");
    assert_eq!(app.post("/search").json(&word).send().text(), "a b in eu");
    assert_eq!(app.post("/search").body("{}").send().status(), 415);
}

#[test]
fn on_load_is_called_once_before_the_first_request() {
    let app = searching();
    assert!(LOADED.with_borrow(Vec::is_empty));
    let _ = (app.get("/search?word=a").send(), app.get("/search?word=b").send());
    assert_eq!(LOADED.take(), ["search in eu"]);
    let failed = InProcess::new(SearchFunction::new()).get("/search?word=a").send();
    assert_eq!((failed.status(), failed.kind()), (503, Some("module_failed")));
    assert_eq!(failed.failure(), Some("REGION is not set"));
}

#[test]
fn a_failure_has_the_hosts_status_and_the_text_of_its_log() {
    let send = |word: &str| searching().get(&format!("/search?word={word}")).send();
    let panicked = send("panic");
    assert_eq!((panicked.status(), panicked.kind()), (500, Some("function_panicked")));
    assert!(panicked.failure().unwrap().contains("out of cheese, at "), "{panicked}");
    let returned = send("error");
    assert_eq!((returned.status(), returned.kind()), (500, Some("function_error")));
    let broken = send("header");
    assert_eq!((broken.status(), broken.kind()), (502, Some("invalid_response")));
}

#[test]
fn routes_lead_to_the_function_as_in_the_host() {
    let app = InProcess::new(ItemFunction::new());
    assert_eq!(app.get("/items/7").send().expect(200).text(), "7");
    assert_eq!(app.get("/items/x").send().status(), 400);
    assert_eq!(app.get("/items").send().status(), 404);
    assert_eq!(app.get("/items/%ff").send().status(), 400);
    let refused = app.delete("/items/7").send();
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")));
    assert!(app.request(Method::HEAD, "/items/7").send().expect(200).bytes().is_empty());
    assert_eq!(InProcess::new(AppFunction::new()).get("/a/c%20d").send().text(), "c d");
}

#[test]
fn an_answer_is_a_snapshot_of_one_line() {
    insta::assert_snapshot!(searching().get("/search?word=tea").send(), @r"
    HTTP/1.1 200
    content-type: text/plain; charset=utf-8

    tea in eu
    ");
}

#[test]
#[should_panic(expected = "the status is 404, not 200\n\nHTTP/1.1 404\nfezz-error: not_found")]
fn an_unexpected_status_is_shown_with_the_answer() {
    let _ = searching().get("/other").send().expect(200);
}
