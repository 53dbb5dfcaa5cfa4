//! What a function returns where it can't answer.

use crate::{BodyError, Response};
use fezz_wire::{ErrorKind, chain};
use std::any::Any;
use std::error::Error as StdError;
use std::fmt::Display;

/// An error for the log, or a chosen response for the client; `?` converts other types to one of the two.
///
/// - From any [`std::error::Error`]: the client gets 500 without details; the message with all its sources is in the
///   host's log, with the request's id.
/// - From a [`Response`]: an early return of exactly that.
/// - From a [`BodyError`]: 400 with its message, since the client caused it.
///
/// ```
/// use fezz::prelude::*;
///
/// fn todo(request: Request) -> Result<Response, fezz::Error> {
///     let id = request.query_param("id").ok_or(Response::text("which id?\n").with_status(422))?;
///     let id: u32 = id.parse()?;
///     if id == 0 {
///         return Err(fezz::Error::new("id is 0"));
///     }
///     Ok(Response::text(format!("todo {id}\n")))
/// }
///
/// let answer = |uri| todo(Request::new("GET", uri)).into_response();
/// assert_eq!(answer("/?id=7").status(), 200);
/// assert_eq!(answer("/").status(), 422);
/// assert_eq!(answer("/?id=x").error(), Some("invalid digit found in string"));
/// ```
///
/// It doesn't implement [`std::error::Error`] itself: then it could not be made from all of them.
#[derive(Debug)]
pub struct Error(Response);

impl Error {
    /// An error with this message for the log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Response::failed(ErrorKind::Returned, message.into()))
    }

    /// The message for the log; `None` where the error stands for a response that was chosen.
    ///
    /// ```
    /// assert_eq!(fezz::Error::new("id is 0").message(), Some("id is 0"));
    /// ```
    pub fn message(&self) -> Option<&str> {
        self.0.error()
    }

    /// Keeps the sources, or the response that the error stands for.
    fn from_std(error: &(dyn StdError + 'static)) -> Self {
        if let Some(error) = error.downcast_ref::<BodyError>() {
            return Self(Response::text(format!("{}\n", chain(error))).with_status(400));
        }
        Self::new(chain(error))
    }

    pub(crate) fn answer(self) -> Response {
        self.0
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self::from_std(&error)
    }
}

impl From<Response> for Error {
    fn from(response: Response) -> Self {
        Self(response)
    }
}

/// The `E` of a function's `Result<T, E>`: [`Error`], [`Response`], and everything that can be displayed, such as
/// `String`, `&str`, `Box<dyn Error>`, anyhow's and eyre's errors and an author's own.
///
/// `Error` and a boxed error keep their sources, and a [`BodyError`] in them its 400. For any other type the log has
/// what `{:#}` prints, which for anyhow's is the whole chain.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a function",
    label = "is no error",
    note = "use `fezz::Error`, `fezz::Response`, or a type that implements `Display`"
)]
pub trait IntoError {
    /// Makes the error.
    fn into_error(self) -> Error;
}

impl IntoError for Error {
    fn into_error(self) -> Error {
        self
    }
}

impl IntoError for Response {
    fn into_error(self) -> Error {
        Error(self)
    }
}

// Without this the compiler would only report that `Display` is missing, not why it is needed.
#[diagnostic::do_not_recommend]
impl<E: Display + 'static> IntoError for E {
    fn into_error(self) -> Error {
        // A box is not a `std::error::Error`, and stable Rust has no specialisation: so the few types that hold more
        // than they display are matched by name.
        let any: &dyn Any = &self;
        if let Some(error) = any.downcast_ref::<BodyError>() {
            return Error::from_std(error);
        }
        if let Some(error) = any.downcast_ref::<Box<dyn StdError>>() {
            return Error::from_std(&**error);
        }
        if let Some(error) = any.downcast_ref::<Box<dyn StdError + Send + Sync>>() {
            return Error::from_std(&**error);
        }
        Error::new(format!("{self:#}"))
    }
}
