//! Every type that a function may return.

use fezz::{IntoResponse, Response};

fn check(answer: impl IntoResponse, status: u16, content_type: Option<&str>, body: &[u8]) {
    let response = answer.into_response();
    assert_eq!(response.status(), status);
    assert_eq!(response.header("Content-Type"), content_type);
    assert_eq!(response.body(), body);
    assert_eq!(response.error(), None);
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
    check(Response::html("<p>"), 200, Some("text/html; charset=utf-8"), b"<p>");
}

#[test]
fn a_header_is_replaced_unless_it_is_added() {
    let response =
        Response::text("a,b").with_header("Content-Type", "text/csv").with_added_header("x-a", "1");
    let headers: Vec<_> =
        response.with_added_header("X-A", "2").headers().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(headers, ["content-type", "x-a", "x-a"]);
}

#[test]
fn a_name_that_http_does_not_allow_is_left_to_the_host() {
    let response = Response::new(9999).with_header("a b\r\n", "\0");
    assert_eq!((response.status(), response.headers().count()), (9999, 1));
}

#[cfg(feature = "json")]
mod json {
    use super::check;
    use fezz::{IntoResponse, Json, Request, Response};
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, serde::Deserialize, serde::Serialize)]
    struct Todo {
        id: u32,
    }

    #[test]
    fn a_value_is_written_as_json_and_read_from_it() {
        let json = Some("application/json");
        check(Json(Todo { id: 7 }), 200, json, br#"{"id":7}"#);
        check((201, Json([1, 2])), 201, json, b"[1,2]");
        check(Response::json("text"), 200, json, br#""text""#);
        let request = Request::new("POST", "/").with_body(r#"{"id":7}"#);
        assert_eq!(request.json::<Todo>().unwrap(), Todo { id: 7 });
    }

    #[test]
    fn a_value_that_is_no_json_is_a_failure() {
        let response = (201, Json(BTreeMap::from([([1_u8, 2], 3)]))).into_response();
        assert_eq!(
            (response.status(), response.error()),
            (500, Some("failed to write JSON: key must be a string"))
        );
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_the_client() {
        for (body, expected) in [
            ("{", "body is not JSON: EOF while parsing an object at line 1 column 1\n"),
            ("{}", "body is JSON of another shape: missing field `id` at line 1 column 2\n"),
        ] {
            let read =
                || -> Result<Todo, fezz::Error> { Ok(Request::new("POST", "/").with_body(body).json()?) };
            let response = read().expect_err("the body is wrong").into_response();
            assert_eq!((response.status(), str::from_utf8(response.body()).unwrap()), (400, expected));
        }
    }
}
