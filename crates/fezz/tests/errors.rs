//! Every type that a function may return as its error, with the client's response and the log's message.

use fezz::{FezzError, FezzRequest, FezzResponse, IntoError, IntoResponse, Rejection};
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

/// An author's own error that chooses its response.
#[derive(Debug)]
struct Missing(u32);

impl From<Missing> for FezzError {
    fn from(Missing(id): Missing) -> Self {
        FezzResponse::error(404, format!("there is no todo {id}")).into()
    }
}

fn answer(error: impl IntoError) -> FezzResponse {
    Result::<(), _>::Err(error).into_response()
}

fn check(error: impl IntoError, logged: &str) {
    let response = answer(error);
    assert_eq!(response.failure(), Some(logged));
    assert_eq!((response.status(), response.bytes()), (500, &b""[..]));
}

fn not_text() -> Rejection {
    FezzRequest::new("POST", "/").with_body(b"\xff").text().expect_err("the body is not UTF-8")
}

#[test]
fn whatever_is_returned_reaches_the_log_and_not_the_client() {
    check("text", "text");
    check("text".to_owned(), "text");
    check(FezzError::new("made".to_string()), "made");
    check(FezzError::other(unreadable()), "failed to read the list: the disk is full");
    check(fezz::Error::new("made"), "made");
}

#[test]
fn a_question_mark_and_a_box_keep_the_sources() {
    let into_any = || -> Result<(), fezz::Error> { Err(unreadable())? };
    let all = "failed to read the list: the disk is full";
    check(into_any().expect_err("it failed"), all);
    check(Box::<dyn StdError>::from(unreadable()), all);
    check(Box::<dyn StdError + Send + Sync>::from(unreadable()), all);
    let into_own = || -> Result<(), FezzError> { Err(std::io::Error::other(unreadable()))? };
    check(into_own().expect_err("it failed"), all);
}

#[test]
fn a_question_mark_leads_out_of_a_fezz_error_and_back() {
    let fails = || -> Result<(), FezzError> { Err(Missing(7))? };
    let out = || -> Result<(), Box<dyn StdError + Send + Sync>> { Ok(fails()?) };
    let back = || -> Result<(), FezzError> { Ok(out()?) };
    assert_eq!(answer(back().expect_err("it failed")).status(), 404);
}

#[test]
fn a_response_as_an_error_is_the_answer() {
    let teapot = || FezzResponse::text("short and stout").with_status(418);
    let passed_on = || -> Result<(), FezzError> { Err(teapot())? };
    assert_eq!(answer(teapot()), teapot());
    assert_eq!(answer(passed_on().expect_err("it failed")), teapot());
    assert_eq!(answer(Missing(7)).status(), 404);
}

#[test]
fn a_body_that_cannot_be_read_is_the_clients_fault() {
    let boxed = Box::<dyn StdError + Send + Sync>::from(not_text());
    for response in [answer(not_text()), answer(boxed), answer(fezz::Error::from(not_text()))] {
        assert_eq!((response.status(), response.failure()), (400, None));
        let body = str::from_utf8(response.bytes()).unwrap();
        assert!(body.contains("\"detail\":\"body is not UTF-8: invalid utf-8 sequence"), "{body}");
    }
}

#[test]
fn a_status_cannot_hide_a_failure() {
    let response = (200, Result::<(), _>::Err("text")).into_response();
    assert_eq!((response.status(), response.failure()), (500, Some("text")));
}

#[test]
fn a_refusal_of_the_jail_names_the_key_that_allows_a_connection() {
    for errno in [1, 13] {
        let refused = FezzError::from(std::io::Error::from_raw_os_error(errno));
        let message = refused.message().expect("it is for the log");
        assert!(message.contains("`network.connect` must hold the port"), "{message}");
        assert!(message.contains("or its `resources` the server's URL"), "{message}");
    }
    // A library's own error may have the text alone.
    let text = FezzError::new(format!("connect: {}", std::io::Error::from_raw_os_error(13))).message();
    assert!(text.expect("it is for the log").contains("network.connect"));
    let other = FezzError::from(std::io::Error::from_raw_os_error(2)).message();
    let other = other.expect("it is for the log");
    assert!(!other.contains("network.connect") && other.contains("`include_str!`"), "{other}");
}
