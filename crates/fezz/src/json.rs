//! JSON as a return type.

use crate::{IntoResponse, Response};

/// Answers 200 with the value as JSON; `(201, Json(value))` chooses the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(
    /// The value.
    pub T,
);

impl<T: serde::Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        Response::json(&self.0)
    }
}
