//! The response that a function returns.

use crate::headers::Headers;
use fezz_wire::{ErrorKind, FezzWireError, FezzWireResponse};

/// One HTTP response.
///
/// No method fails or panics. If the status is outside 200 to 599, or HTTP doesn't allow a header, the host answers 502
/// `invalid_response` and logs the reason.
///
/// ```
/// use fezz::Response;
///
/// let response = Response::text("made\n").with_status(201).with_header("Location", "/api/todos/7");
/// assert_eq!(response.status(), 201);
/// assert_eq!(response.header("location"), Some("/api/todos/7"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    failure: Option<Failure>,
}

/// Why the function has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    kind: ErrorKind,
    message: String,
}

impl Response {
    /// A response of that status, 200 to 599, with neither headers nor body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Headers::default(), body: Vec::new(), failure: None }
    }

    /// 200 with plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(200).with_header("content-type", "text/plain; charset=utf-8").with_body(text.into())
    }

    /// 200 with HTML. What is put into it must be escaped already.
    pub fn html(html: impl Into<String>) -> Self {
        Self::new(200).with_header("content-type", "text/html; charset=utf-8").with_body(html.into())
    }

    /// 200 with `value` as JSON. Where it can't be written as JSON (a map whose keys aren't text), the response is
    /// what a returned error is: 500, and the reason in the log.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::new(200).with_header("content-type", "application/json").with_body(body),
            Err(error) => Self::failed(ErrorKind::Returned, format!("failed to write JSON: {error}")),
        }
    }

    /// The host's answer for a function that failed.
    pub(crate) fn failed(kind: ErrorKind, message: String) -> Self {
        Self { failure: Some(Failure { kind, message }), ..Self::new(500) }
    }

    /// Sets the status; a response that stands for an error keeps its 500.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        if self.failure.is_none() {
            self.status = status;
        }
        self
    }

    /// Sets a header, replacing all of that name.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.set(name, value.into());
        self
    }

    /// Adds a header, beside any of that name: a second `Set-Cookie`.
    #[must_use]
    pub fn with_added_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.add(name, value.into());
        self
    }

    /// Sets the body. Its length becomes the `Content-Length`.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of that name, in whatever case, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.text(name)
    }

    /// All headers in order, duplicates included, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The message for the log, if this response stands for a returned error.
    pub fn error(&self) -> Option<&str> {
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
