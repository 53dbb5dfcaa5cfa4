//! A response that sends the client elsewhere.

use crate::{FezzResponse, IntoResponse};

/// Another address for the client to go to (RFC 9110, section 15.4).
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_function(method = "POST", path = "/login")]
/// fn login(_: FezzRequest) -> Redirect {
///     Redirect::to("/welcome")
/// }
///
/// let response = LoginFunction::new().call(FezzRequest::new("POST", "/login"));
/// assert_eq!((response.status(), response.get_header("location")), (303, Some("/welcome")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    status: u16,
    location: String,
}

impl Redirect {
    /// 303: the client gets the address by `GET`, as after a form.
    pub fn to(location: impl Into<String>) -> Self {
        Self { status: 303, location: location.into() }
    }

    /// 307: the client repeats this request there, for once.
    pub fn temporary(location: impl Into<String>) -> Self {
        Self { status: 307, location: location.into() }
    }

    /// 308: the client repeats this request there, and all to come; caches keep it.
    pub fn permanent(location: impl Into<String>) -> Self {
        Self { status: 308, location: location.into() }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> FezzResponse {
        FezzResponse::new(self.status).header("location", self.location)
    }
}
