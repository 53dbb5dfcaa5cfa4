//! A request that the function can't read: the client's error, not the function's.

use crate::{FezzResponse, IntoResponse, problem};
use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};

/// Why a request doesn't hold what a function asks for. As an answer, or passed on with `?`, it is a problem (RFC 9457)
/// for the client, and nothing in the log:
///
/// | status | what is wrong |
/// |---|---|
/// | 400 | the query, a parameter of the path, the syntax of JSON |
/// | 415 | the body is of a type that can't be read, or has no `Content-Type` |
/// | 422 | the body is readable, but a field is missing or wrong |
///
/// Its text contains only what the client sent and what the function asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    status: u16,
    detail: String,
    field: Option<String>,
}

impl Rejection {
    /// A rejection of one's own extractor: a status, 400 to 499, and a sentence for the client.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None }
    }

    /// Names the field that is wrong: `title`, `items[2].price`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// 400, where the bytes themselves are wrong.
    pub(crate) fn malformed(what: &str, error: &dyn StdError) -> Self {
        Self::new(400, format!("{what}: {error}"))
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The sentence for the client.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The field that is wrong, where it is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl Display for Rejection {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)
    }
}

impl StdError for Rejection {}

impl IntoResponse for Rejection {
    fn into_response(self) -> FezzResponse {
        problem::response(self.status, &self.detail, self.field.as_deref())
    }
}
