//! What a function may return.

use crate::{Body, FezzResponse, Headers, IntoError, IntoHeaders, IntoStatus};
use bytes::Bytes;
use http::StatusCode;
use std::borrow::Cow;
use std::convert::Infallible;

/// A type that a function may return as its response.
///
/// | returned | status | content type |
/// |---|---|---|
/// | [`FezzResponse`], also of a type | its own | its own, or that of the type |
/// | `&'static str`, `String` | 200 | `text/plain; charset=utf-8` |
/// | `Vec<u8>`, `&'static [u8]`, [`Bytes`] | 200 | `application/octet-stream` |
/// | `()` | 204 | |
/// | `Json<T>`, `Form<T>` | 200 | `application/json`, `application/x-www-form-urlencoded` |
/// | [`Redirect`](crate::Redirect) | 303, 307 or 308 | |
/// | `StatusCode` | itself | |
/// | `(StatusCode, T)`, `(u16, T)` | the first | that of `T` |
/// | `(headers, T)`, `(StatusCode, headers, T)` | that of `T`, or the first | that of `T`, or of the headers |
/// | [`http::Response`] | its own | its own |
/// | `FezzWireResponse` | its own | its own |
/// | `Result<T, E>` | that of `T`, or that of the error: 500, or the response that it chose | that of `T` |
///
/// `headers` is an array or a `Vec` of names and values, or an [`http::HeaderMap`].
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_function(method = "POST", path = "/api/todos")]
/// fn create(_: FezzRequest) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
///     (StatusCode::CREATED, [("location", "/api/todos/7")], "made")
/// }
///
/// let response = CreateFunction::new().call(FezzRequest::new("POST", "/api/todos"));
/// assert_eq!((response.status(), response.get_header("location")), (201, Some("/api/todos/7")));
/// ```
///
/// `Option` isn't one: the function has to decide whether `None` is a 404, a 204 or an error.
#[diagnostic::on_unimplemented(
    message = "a function can't answer with `{Self}`",
    label = "is no response",
    note = "return `FezzResponse`, text, `Vec<u8>`, `()`, `Json<T>`, `(StatusCode, T)` or a `Result` of one of these"
)]
pub trait IntoResponse {
    /// Makes the response.
    fn into_response(self) -> FezzResponse;
}

impl IntoResponse for Body {
    fn into_response(self) -> FezzResponse {
        FezzResponse::new(200).body(self)
    }
}

impl<B: IntoResponse> IntoResponse for FezzResponse<B> {
    fn into_response(self) -> FezzResponse {
        let Self { status, headers, body, failure } = self;
        let mut response = with_headers(body.into_response().with_status(status), headers);
        if failure.is_some() {
            response.failure = failure;
        }
        response
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> FezzResponse {
        FezzResponse::text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> FezzResponse {
        FezzResponse::text(self)
    }
}

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> FezzResponse {
        FezzResponse::text(self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> FezzResponse {
        Bytes::from_static(self).into_response()
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> FezzResponse {
        Bytes::from(self).into_response()
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> FezzResponse {
        FezzResponse::new(200).header("content-type", "application/octet-stream").body(self)
    }
}

impl IntoResponse for () {
    fn into_response(self) -> FezzResponse {
        FezzResponse::new(204)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> FezzResponse {
        FezzResponse::new(self)
    }
}

impl IntoResponse for Infallible {
    fn into_response(self) -> FezzResponse {
        match self {}
    }
}

/// For each type of a status, since one `impl` for all would overlap with that of headers.
macro_rules! with_status {
    ($($status:ty),*) => {
        $(impl<T: IntoResponse> IntoResponse for ($status, T) {
            fn into_response(self) -> FezzResponse {
                self.1.into_response().with_status(self.0)
            }
        }

        impl<H: IntoHeaders, T: IntoResponse> IntoResponse for ($status, H, T) {
            fn into_response(self) -> FezzResponse {
                (self.1, self.2).into_response().with_status(self.0)
            }
        })*
    };
}

with_status!(u16, StatusCode);

impl<H: IntoHeaders, T: IntoResponse> IntoResponse for (H, T) {
    fn into_response(self) -> FezzResponse {
        with_headers(self.1.into_response(), self.0.into_headers())
    }
}

impl<B: Into<Body>> IntoResponse for http::Response<B> {
    fn into_response(self) -> FezzResponse {
        let (parts, body) = self.into_parts();
        let response = FezzResponse::new(parts.status.into_status()).body(body);
        with_headers(response, parts.headers.into_headers())
    }
}

impl<T: IntoResponse, E: IntoError> IntoResponse for Result<T, E> {
    fn into_response(self) -> FezzResponse {
        match self {
            Ok(answer) => answer.into_response(),
            Err(error) => error.into_error().into_response(),
        }
    }
}

/// The wire's own form, for a program that has it already.
#[cfg(feature = "json")]
impl IntoResponse for fezz_wire::owned::FezzWireResponse {
    fn into_response(self) -> FezzResponse {
        let error =
            self.error.map(|error| crate::response::Failure { kind: error.kind(), message: error.message });
        let mut response = FezzResponse::new(self.status).body(self.body.into_vec());
        for (name, value) in self.headers {
            response = response.added_header(name, value);
        }
        response.failure = error.map(Box::new);
        response
    }
}

/// Replaces those of the same names.
fn with_headers(mut response: FezzResponse, headers: Headers) -> FezzResponse {
    // The usual case: a body that brings none along.
    if response.headers.is_empty() {
        response.headers = headers;
        return response;
    }
    for (at, (name, value)) in headers.iter().enumerate() {
        let is_first = headers.iter().take(at).all(|(earlier, _)| earlier != name);
        response = if is_first { response.header(name, value) } else { response.added_header(name, value) };
    }
    response
}
