//! What a function may take as a parameter.

mod bodies;
#[cfg(feature = "json")]
mod data;
#[cfg(feature = "json")]
mod path;

#[cfg(feature = "json")]
pub use data::{Form, Json, Query};
#[cfg(feature = "json")]
pub use path::Path;

use crate::{FezzRequest, IntoResponse};
use std::convert::Infallible;

/// A type that a function may take as a parameter, owned or by reference. There may be up to 16 of them, in any order.
///
/// | parameter | holds |
/// |---|---|
/// | `req: FezzRequest`, `FezzRequest<T>` | the request, with its data |
/// | `ctx: &FunctionContext` | what the host says about it |
/// | `Path(id): Path<u32>`, `Path(path): Path<MyPath>` | the parameters of the route's path |
/// | `Query(query): Query<MyQuery>` | the query |
/// | `Json(todo): Json<NewTodo>`, `Form(form): Form<MyForm>` | the body |
/// | `headers: Headers` | all headers |
/// | `body: Bytes`, `text: String` | the body as it came |
/// | `Option<T>` of these | `None` where the request hasn't got it; one that is wrong is still refused |
/// | `Result<T, Rejection>` of these | the function decides what to do about a wrong one |
///
/// The first that fails answers the request, and the function isn't called.
///
/// # One's own
///
/// ```
/// use fezz::prelude::*;
///
/// struct Token(String);
///
/// impl FromRequest for Token {
///     type Rejection = Rejection;
///
///     fn from_request(request: &FezzRequest) -> Result<Self, Rejection> {
///         let value = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
///         Ok(Self(value.ok_or_else(|| Rejection::new(401, "a bearer token is required"))?.to_owned()))
///     }
/// }
///
/// #[fezz_function(path = "/whoami")]
/// fn whoami(Token(token): Token, ctx: &FunctionContext) -> String {
///     format!("{token} on {}", ctx.function_name())
/// }
///
/// let call = |request| WhoamiFunction::new().call(request);
/// assert_eq!(call(FezzRequest::new("GET", "/whoami")).status(), 401);
/// let request = FezzRequest::new("GET", "/whoami").with_header("authorization", "Bearer ada");
/// assert_eq!(call(request).bytes(), b"ada on test");
/// ```
///
/// It isn't async: the whole request is there. What has to be waited for, such as a database, is better called from the
/// function, whose deadline and errors it shares.
#[diagnostic::on_unimplemented(
    message = "a function can't take `{Self}` from a request",
    label = "implements no `FromRequest`",
    note = "a parameter of the route's path is `Path(id): Path<{Self}>`, the query `Query(query): Query<{Self}>`, a body in JSON `Json(value): Json<{Self}>`",
    note = "or take the request, `req: FezzRequest`, and its context, `ctx: &FunctionContext`"
)]
pub trait FromRequest: Sized {
    /// The answer where it fails.
    type Rejection: IntoResponse;

    /// Reads the request.
    ///
    /// # Errors
    ///
    /// The request doesn't hold it: the answer for the client.
    fn from_request(request: &FezzRequest) -> Result<Self, Self::Rejection>;

    /// Whether the request has it at all: `Option<Self>` is `None` where it hasn't.
    fn is_present(request: &FezzRequest) -> bool {
        let _ = request;
        true
    }

    /// The same where nothing else needs the request: spares a copy of it.
    #[doc(hidden)]
    fn from_owned(request: FezzRequest) -> Result<Self, Self::Rejection> {
        Self::from_request(&request)
    }
}

impl<T: FromRequest> FromRequest for Option<T> {
    type Rejection = T::Rejection;

    fn from_request(request: &FezzRequest) -> Result<Self, T::Rejection> {
        T::is_present(request).then(|| T::from_request(request)).transpose()
    }
}

impl<T: FromRequest> FromRequest for Result<T, T::Rejection> {
    type Rejection = Infallible;

    fn from_request(request: &FezzRequest) -> Result<Self, Infallible> {
        Ok(T::from_request(request))
    }
}
