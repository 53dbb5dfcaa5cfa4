//! Every type that a function may return as its error, with the client's response and the log's message.

use fezz::{BodyError, IntoError, IntoResponse, Request, Response};
use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};

/// An author's own error, with a source.
#[derive(Debug)]
struct Unreadable(std::io::Error);

impl Display for Unreadable {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("failed to read the list")
    }
}

impl StdError for Unreadable {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn unreadable() -> Unreadable {
    Unreadable(std::io::Error::other("the disk is full"))
}

/// What anyhow's and eyre's errors have in common: not an `Error`, and all its sources in its alternate form.
struct Report;

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(if formatter.alternate() { "outer: inner" } else { "outer" })
    }
}

fn answer(error: impl IntoError) -> Response {
    Result::<(), _>::Err(error).into_response()
}

fn check(error: impl IntoError, logged: &str) {
    let response = answer(error);
    assert_eq!(response.error(), Some(logged));
    assert_eq!((response.status(), response.body()), (500, &b""[..]));
}

fn not_text() -> BodyError {
    Request::new("POST", "/").with_body(b"\xff").text().expect_err("the body is not UTF-8")
}

#[test]
fn whatever_is_returned_reaches_the_log_and_not_the_client() {
    check("text", "text");
    check("text".to_owned(), "text");
    check(Report, "outer: inner");
    check(unreadable(), "failed to read the list");
    check(fezz::Error::new("made"), "made");
}

#[test]
fn a_question_mark_and_a_box_keep_the_sources() {
    let passed_on = || -> Result<(), fezz::Error> { Err(unreadable())? };
    let all = "failed to read the list: the disk is full";
    check(passed_on().expect_err("it failed"), all);
    check(Box::<dyn StdError>::from(unreadable()), all);
    check(Box::<dyn StdError + Send + Sync>::from(unreadable()), all);
}

#[test]
fn a_response_as_an_error_is_the_answer() {
    let teapot = || Response::text("short and stout").with_status(418);
    let passed_on = || -> Result<(), fezz::Error> { Err(teapot())? };
    assert_eq!(answer(teapot()), teapot());
    assert_eq!(answer(passed_on().expect_err("it failed")), teapot());
}

#[test]
fn a_body_that_cannot_be_read_is_the_clients_fault() {
    let boxed = Box::<dyn StdError + Send + Sync>::from(not_text());
    for response in [answer(not_text()), answer(boxed), answer(fezz::Error::from(not_text()))] {
        assert_eq!((response.status(), response.error()), (400, None));
        let body = str::from_utf8(response.body()).unwrap();
        assert!(body.starts_with("body is not UTF-8: invalid utf-8 sequence"), "{body}");
    }
}

#[test]
fn a_status_cannot_hide_a_failure() {
    let response = (200, Result::<(), _>::Err("text")).into_response();
    assert_eq!((response.status(), response.error()), (500, Some("text")));
}
