//! The response that a function returns.

use crate::{Headers, problem};
use bytes::Bytes;
use fezz_wire::{ErrorKind, FezzWireError, FezzWireResponse};
use http::StatusCode;
use std::ops::Deref;

/// One HTTP response.
///
/// ```
/// use fezz::prelude::*;
///
/// # fn main() -> Result<(), FezzError> {
/// let made = FezzResponse::text("made\n").with_status(201).header("Location", "/api/todos/7");
/// assert_eq!((made.status(), made.get_header("location")), (201, Some("/api/todos/7")));
///
/// # #[cfg(feature = "json")]
/// let list = FezzResponse::json(&["buy milk"])?;
/// # #[cfg(feature = "json")]
/// assert_eq!(list.bytes(), br#"["buy milk"]"#);
///
/// let missing = FezzResponse::error(StatusCode::NOT_FOUND, "Resource not found");
/// assert_eq!(missing.get_header("content-type"), Some("application/problem+json"));
///
/// let own = FezzResponse::new(StatusCode::OK).header("X-Custom", "value").body("content");
/// assert_eq!(own.bytes(), b"content");
/// # Ok(())
/// # }
/// ```
///
/// No method panics. If the status is outside 200 to 599, or HTTP doesn't allow a header, the host answers 502
/// `invalid_response` and logs the reason.
///
/// `B` is what the body is made from: `FezzResponse<Json<Vec<Todo>>>` says so in a function's signature, and lets a unit
/// test look at the value by [`data`](Self::data).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FezzResponse<B = Body> {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: B,
    pub(crate) failure: Option<Box<Failure>>,
}

/// The bytes of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body(Bytes);

/// Why the function has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// A function may return it as an error: clippy would tell its author of a larger one (`result_large_err`).
const _: () = assert!(size_of::<FezzResponse>() <= 128);

/// The ways to make one. All stand here, in one `impl`, so that `FezzResponse::text(..)` needs no type.
impl FezzResponse {
    /// A response of that status, 200 to 599, with neither headers nor body: `StatusCode::OK`, or `200`.
    pub fn new(status: impl IntoStatus) -> Self {
        Self {
            status: status.into_status(),
            headers: Headers::default(),
            body: Body::default(),
            failure: None,
        }
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(200).header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// 200 with HTML. What is put into it must be escaped already.
    pub fn html(html: impl Into<String>) -> Self {
        Self::new(200).header("content-type", "text/html; charset=utf-8").body(html.into())
    }

    /// 200 with `value` as JSON.
    ///
    /// # Errors
    ///
    /// It can't be written as JSON: a map whose keys aren't text.
    #[cfg(feature = "json")]
    pub fn json<T: crate::ResponseData + ?Sized>(value: &T) -> Result<Self, crate::FezzError> {
        let failed = |error| crate::FezzError::new(format!("failed to write JSON: {error}"));
        let body = serde_json::to_vec(value).map_err(failed)?;
        Ok(Self::new(200).header("content-type", "application/json").body(body))
    }

    /// An error for the client: a problem (RFC 9457) of that status, with that sentence as its `detail`.
    pub fn error(status: impl IntoStatus, detail: impl AsRef<str>) -> Self {
        problem::response(status.into_status(), detail.as_ref(), None)
    }

    /// 404, for a path or an item that there isn't.
    pub fn not_found() -> Self {
        Self::error(404, "there is no such resource")
    }

    /// The host's answer for a function that failed.
    pub(crate) fn failed(kind: ErrorKind, message: String) -> Self {
        Self { failure: Some(Box::new(Failure { kind, message })), ..Self::new(500) }
    }

    /// Sets the body. Its length becomes the `Content-Length`; the `Content-Type` isn't changed.
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The message for the log, if this response stands for a returned error or a panic.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.message.as_str())
    }

    /// The message for the host.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let error = self
            .failure
            .as_ref()
            .map(|failure| FezzWireError { kind: failure.kind, message: &failure.message });
        let headers = self.headers.iter().collect();
        FezzWireResponse { status: self.status, headers, body: &self.body, error }.encode()
    }
}

impl<B> FezzResponse<B> {
    /// Sets the status; a response that stands for an error keeps its 500.
    #[must_use]
    pub fn with_status(mut self, status: impl IntoStatus) -> Self {
        if self.failure.is_none() {
            self.status = status.into_status();
        }
        self
    }

    /// Sets a header, replacing all of that name.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.headers.set(name.as_ref(), value.as_ref());
        self
    }

    /// Adds a header, beside any of that name: a second `Set-Cookie`.
    #[must_use]
    pub fn added_header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_ref(), value.as_ref());
        self
    }

    /// The same status and headers with a body that is made from `data`, which brings its `Content-Type` along.
    ///
    /// ```
    /// # #[cfg(feature = "json")]
    /// # {
    /// use fezz::prelude::*;
    ///
    /// let made: FezzResponse<Json<[u32; 1]>> = FezzResponse::new(201).with_data(Json([7]));
    /// assert_eq!(made.data().0, [7]);
    /// assert_eq!(made.into_response().get_header("content-type"), Some("application/json"));
    /// # }
    /// ```
    pub fn with_data<C>(self, data: C) -> FezzResponse<C> {
        let Self { status, headers, body: _, failure } = self;
        FezzResponse { status, headers, body: data, failure }
    }

    /// What the body is made from.
    pub fn data(&self) -> &B {
        &self.body
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of that name, in any case, if it is UTF-8.
    pub fn get_header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// All headers in order, with duplicates, values as bytes.
    pub fn header_list(&self) -> &Headers {
        &self.headers
    }
}

/// 200 with a body that is made from the value: `Json(todos).into()`.
impl<B> From<B> for FezzResponse<B> {
    fn from(data: B) -> Self {
        FezzResponse::new(200).with_data(data)
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Body {
    /// The bytes, without a copy.
    #[cfg(feature = "server")]
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::default()
    }
}

macro_rules! body_from {
    ($($from:ty),*) => {
        $(impl From<$from> for Body {
            fn from(body: $from) -> Self {
                Self(body.into())
            }
        })*
    };
}

body_from!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

impl<const LEN: usize> From<&'static [u8; LEN]> for Body {
    fn from(body: &'static [u8; LEN]) -> Self {
        Self(Bytes::from_static(body))
    }
}

/// A status: an [`http::StatusCode`], or its number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a status",
    note = "expected `StatusCode::NOT_FOUND`, or `404`"
)]
pub trait IntoStatus {
    /// The number.
    fn into_status(self) -> u16;
}

impl IntoStatus for u16 {
    fn into_status(self) -> u16 {
        self
    }
}

impl IntoStatus for StatusCode {
    fn into_status(self) -> u16 {
        self.as_u16()
    }
}
