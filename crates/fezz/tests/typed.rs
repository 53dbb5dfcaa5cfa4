//! The data of a typed request, by method and content type, through the C functions.

#![cfg(feature = "json")]

mod common;

use common::{Answer, handle, request};
use fezz::prelude::*;

#[fezz_request]
struct NewTodo {
    title: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[fezz_request]
struct Tag {
    name: String,
}

#[fezz_function(method = "*")]
fn typed(req: FezzRequest<NewTodo>) -> String {
    let tags: Vec<_> = req.data().tags.iter().map(|tag| tag.name.as_str()).collect();
    format!("{} {}", req.data.title, tags.join("+"))
}

fn send(method: &str, uri: &str, content_type: &str, body: &str) -> Answer {
    let mut message = request(uri);
    message.method = method;
    message.body = body.as_bytes();
    if !content_type.is_empty() {
        message.headers = vec![("content-type", content_type.as_bytes())];
    }
    handle(&message.encode())
}

fn check(answer: &Answer, status: u16, detail: &str) {
    assert_eq!((answer.status, answer.error.is_none()), (status, true), "{}", answer.body);
    let type_ = answer.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| &value[..]);
    assert_eq!(type_, Some(&b"application/problem+json"[..]));
    assert!(answer.body.contains(detail), "{}", answer.body);
}

#[test]
fn the_method_and_the_content_type_say_where_the_data_is() {
    let json = r#"{"title": "buy milk", "tags": [{"name": "a"}, {"name": "b"}]}"#;
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(send(method, "/?title=buy+milk", "application/json", json).body, "buy milk ");
    }
    for content_type in
        ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
    {
        assert_eq!(send("POST", "/?title=no", content_type, json).body, "buy milk a+b");
    }
    assert_eq!(send("PATCH", "/", "application/x-www-form-urlencoded", "title=buy+milk").body, "buy milk ");
}

#[test]
fn a_bad_body_is_refused_before_the_function_and_names_the_field() {
    let json = "application/json";
    check(&send("POST", "/", json, r#"{"title": "#), 400, "body is not JSON: EOF");
    check(&send("POST", "/", json, "{}"), 422, r#""field":"title""#);
    check(&send("POST", "/", json, r#"{"title": "", "tags": [{}]}"#), 422, r#""field":"tags[0].name""#);
    check(&send("POST", "/", "application/x-www-form-urlencoded", "x=1"), 422, r#""field":"title""#);
    check(&send("GET", "/?x=1", "", ""), 400, r#""field":"title""#);
}

#[test]
fn a_body_of_another_type_is_415_with_the_types_that_are_read() {
    check(
        &send("POST", "/", "text/plain", "a"),
        415,
        "body is of type `text/plain`: expected `application/json` or",
    );
    check(&send("POST", "/", "", "a"), 415, "request has no `Content-Type`");
}
