//! Every type that a function may return.

use fezz::http::{self, HeaderMap, HeaderValue};
use fezz::{Bytes, FezzResponse, IntoResponse, Redirect, StatusCode};

fn check(answer: impl IntoResponse, status: u16, content_type: Option<&str>, body: &[u8]) {
    let response = answer.into_response();
    assert_eq!(response.status(), status);
    assert_eq!(response.get_header("Content-Type"), content_type);
    assert_eq!(response.bytes(), body);
    assert_eq!(response.failure(), None);
}

#[test]
fn each_type_has_its_status_and_content_type() {
    let (text, bytes) = (Some("text/plain; charset=utf-8"), Some("application/octet-stream"));
    check("hello", 200, text, b"hello");
    check(String::from("hello"), 200, text, b"hello");
    check(vec![0, 1], 200, bytes, b"\0\x01");
    check(b"abc".as_slice(), 200, bytes, b"abc");
    check((), 204, None, b"");
    check((201, "made"), 201, text, b"made");
    check(Ok::<_, String>("hello"), 200, text, b"hello");
    check(FezzResponse::html("<p>"), 200, Some("text/html; charset=utf-8"), b"<p>");
    check(Bytes::from("hello"), 200, bytes, b"hello");
    check(StatusCode::NOT_FOUND, 404, None, b"");
    check((StatusCode::CREATED, "made"), 201, text, b"made");
    check(FezzResponse::new(StatusCode::CREATED).with_data("made"), 201, text, b"made");
    check(FezzResponse::from("made"), 200, text, b"made");
}

#[test]
fn headers_before_a_body_replace_those_that_it_brings_along() {
    let csv = [("content-type", "text/csv"), ("x-a", "1"), ("x-a", "2")];
    let mut map = HeaderMap::new();
    map.insert("content-type", HeaderValue::from_static("text/csv"));
    check((csv, "a,b"), 200, Some("text/csv"), b"a,b");
    check((201, vec![("Content-Type".to_owned(), b"text/csv")], "a,b"), 201, Some("text/csv"), b"a,b");
    check((StatusCode::CREATED, map, "a,b"), 201, Some("text/csv"), b"a,b");
    let response = (csv, "a,b").into_response();
    let values: Vec<_> = response.header_list().get_all("X-A").collect();
    assert_eq!(values, [b"1", b"2"]);
}

#[test]
fn a_response_of_the_crate_http_is_one() {
    let response = http::Response::builder().status(418).header("x-a", "1").header("x-a", "2");
    let response = response.body("short and stout").unwrap().into_response();
    assert_eq!((response.status(), response.bytes()), (418, &b"short and stout"[..]));
    assert_eq!(response.header_list().get_all("x-a").count(), 2);
}

#[test]
fn a_redirect_says_where_and_for_how_long() {
    for (redirect, status) in
        [(Redirect::to("/a"), 303), (Redirect::temporary("/a"), 307), (Redirect::permanent("/a"), 308)]
    {
        let response = redirect.into_response();
        assert_eq!((response.status(), response.get_header("location")), (status, Some("/a")));
    }
}

#[test]
fn an_error_for_the_client_is_a_problem() {
    let response = FezzResponse::error(StatusCode::NOT_FOUND, "Resource not found");
    let body = r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"Resource not found"}"#;
    check(response, 404, Some("application/problem+json"), body.as_bytes());
}

#[test]
fn a_header_is_replaced_unless_it_is_added() {
    let response = FezzResponse::text("a,b").header("Content-Type", "text/csv").added_header("x-a", "1");
    let headers: Vec<_> =
        response.added_header("X-A", "2").header_list().iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(headers, ["content-type", "x-a", "x-a"]);
}

#[test]
fn a_name_that_http_does_not_allow_is_left_to_the_host() {
    let response = FezzResponse::new(9999).header("a b\r\n", "\0");
    assert_eq!((response.status(), response.header_list().iter().count()), (9999, 1));
}

#[cfg(feature = "json")]
mod json {
    use super::check;
    use fezz::prelude::*;
    use std::collections::BTreeMap;

    #[fezz_request]
    #[fezz_response]
    #[derive(Debug, PartialEq)]
    struct Todo {
        id: u32,
    }

    #[test]
    fn a_value_is_written_as_json_and_read_from_it() {
        let json = Some("application/json");
        check(Json(Todo { id: 7 }), 200, json, br#"{"id":7}"#);
        check((201, Json([1, 2])), 201, json, b"[1,2]");
        check(FezzResponse::json("text"), 200, json, br#""text""#);
        check(FezzResponse::from(Json(Todo { id: 7 })), 200, json, br#"{"id":7}"#);
        check(Form(Todo { id: 7 }), 200, Some("application/x-www-form-urlencoded"), b"id=7");
        let request = FezzRequest::new("POST", "/").with_body(r#"{"id":7}"#);
        assert_eq!(request.json::<Todo>().unwrap(), Todo { id: 7 });
    }

    #[test]
    fn a_value_that_is_no_json_is_a_failure() {
        let response = (201, Json(BTreeMap::from([([1_u8, 2], 3)]))).into_response();
        assert_eq!(
            (response.status(), response.failure()),
            (500, Some("failed to write JSON: key must be a string"))
        );
    }

    #[test]
    fn the_wires_own_form_passes_as_it_is() {
        let response = FezzWireResponse {
            status: 418,
            headers: vec![("x-a".to_owned(), b"\xff".to_vec().into())],
            error: None,
            body: b"short".to_vec().into(),
        };
        let response = response.into_response();
        assert_eq!((response.status(), response.bytes()), (418, &b"short"[..]));
        assert_eq!(response.header_list().get_bytes("x-a"), Some(&b"\xff"[..]));
    }
}
