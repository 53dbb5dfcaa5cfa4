//! What a function may return.

use crate::{Error, IntoError, Response};

/// A type that a function may return as its response.
///
/// | returned | status | content type |
/// |---|---|---|
/// | [`Response`] | its own | its own |
/// | `&'static str`, `String` | 200 | `text/plain; charset=utf-8` |
/// | `Vec<u8>`, `&'static [u8]` | 200 | `application/octet-stream` |
/// | `()` | 204 | |
/// | `Json<T>` | 200 | `application/json` |
/// | `(u16, T)` | the first | that of `T` |
/// | `Result<T, E>` | that of `T`, or 500 and the error in the log | that of `T` |
///
/// `Option` isn't one: the function has to decide whether `None` is a 404, a 204 or an error.
#[diagnostic::on_unimplemented(
    message = "a function can't answer with `{Self}`",
    label = "is no response",
    note = "return `Response`, text, `Vec<u8>`, `()`, `Json<T>`, `(u16, T)` or a `Result` of one of these"
)]
pub trait IntoResponse {
    /// Makes the response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        self.to_vec().into_response()
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::new(200).with_header("content-type", "application/octet-stream").with_body(self)
    }
}

impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(204)
    }
}

impl<T: IntoResponse> IntoResponse for (u16, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.answer()
    }
}

impl<T: IntoResponse, E: IntoError> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(answer) => answer.into_response(),
            Err(error) => error.into_error().answer(),
        }
    }
}
