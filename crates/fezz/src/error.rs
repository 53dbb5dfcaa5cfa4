//! What a function returns where it can't answer.

use crate::{FezzResponse, IntoResponse, Rejection, permission};
use fezz_wire::ErrorKind;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};

/// Why a function can't answer: an error for the log, or a chosen response for the client.
///
/// It is a [`std::error::Error`] that is `Send` and `Sync`, so that `?` turns it into a boxed error and those of anyhow
/// and eyre. `?` turns into it:
///
/// - text, boxed errors and the errors of the standard library: the client gets 500 without details; the message with
///   all its sources is in the host's log, with the request's id. [`FezzError::other`] does that for any other error,
///   and [`fezz::Error`](crate::Error) by `?`.
/// - a [`FezzResponse`]: an early return of exactly that.
/// - a [`Rejection`]: its 400, 415 or 422, since the client caused it.
/// - an author's own error with an `impl From<TodoError> for FezzError`, which may choose the response.
///
/// ```
/// use fezz::prelude::*;
///
/// fn todo(request: FezzRequest) -> Result<FezzResponse, FezzError> {
///     let not_found = || FezzResponse::error(StatusCode::NOT_FOUND, "which id?");
///     let id: u32 = request.query_param("id").ok_or_else(not_found)?.parse()?;
///     if id == 0 {
///         return Err(FezzError::new("id is 0".to_string()));
///     }
///     Ok(FezzResponse::text(format!("todo {id}\n")))
/// }
///
/// let answer = |uri| todo(FezzRequest::new("GET", uri)).into_response();
/// assert_eq!(answer("/?id=7").status(), 200);
/// assert_eq!(answer("/").status(), 404);
/// assert_eq!(answer("/?id=x").failure(), Some("invalid digit found in string"));
///
/// // And out of it:
/// fn boxed() -> Result<(), Box<dyn std::error::Error>> {
///     todo(FezzRequest::new("GET", "/?id=0"))?;
///     Ok(())
/// }
/// assert_eq!(boxed().unwrap_err().to_string(), "id is 0");
/// ```
pub struct FezzError(Kind);

enum Kind {
    Message(String),
    Std(Box<dyn StdError + Send + Sync>),
    Answer(Box<FezzResponse>),
}

impl FezzError {
    /// An error with this message for the log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Kind::Message(message.into()))
    }

    /// Any error, with its sources.
    pub fn other<E: StdError + Send + Sync + 'static>(error: E) -> Self {
        Self::from(Box::<dyn StdError + Send + Sync>::from(error))
    }

    pub(crate) fn no_variable(name: &str) -> Self {
        Self::new(format!(
            "the variable `{name}` isn't set: write it into `env` of fezz.json, or a secret into `secrets`"
        ))
    }

    pub(crate) fn no_resource(name: &str) -> Self {
        Self::new(format!("the resource `{name}` isn't there: write it into `resources` of fezz.json"))
    }

    /// The message for the log with all its sources; `None` where the error stands for a response that was chosen.
    ///
    /// ```
    /// assert_eq!(fezz::FezzError::new("id is 0").message().as_deref(), Some("id is 0"));
    /// ```
    pub fn message(&self) -> Option<String> {
        match &self.0 {
            Kind::Answer(_) => None,
            Kind::Message(message) => Some(permission::explained(message.clone())),
            Kind::Std(error) => Some(permission::explained(fezz_wire::chain(&**error))),
        }
    }
}

impl Display for FezzError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Message(message) => formatter.write_str(message),
            Kind::Std(error) => Display::fmt(error, formatter),
            Kind::Answer(response) => write!(formatter, "answer of status {}", response.status()),
        }
    }
}

impl Debug for FezzError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Message(message) => write!(formatter, "FezzError({message:?})"),
            Kind::Std(error) => write!(formatter, "FezzError({error:?})"),
            Kind::Answer(response) => write!(formatter, "FezzError({response:?})"),
        }
    }
}

impl StdError for FezzError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0 {
            Kind::Std(error) => error.source(),
            Kind::Message(_) | Kind::Answer(_) => None,
        }
    }
}

impl IntoResponse for FezzError {
    fn into_response(self) -> FezzResponse {
        match self.message() {
            Some(message) => FezzResponse::failed(ErrorKind::Returned, message),
            None => self.into_answer(),
        }
    }
}

impl FezzError {
    fn into_answer(self) -> FezzResponse {
        match self.0 {
            Kind::Answer(response) => *response,
            Kind::Message(_) | Kind::Std(_) => FezzResponse::new(500),
        }
    }
}

impl From<FezzResponse> for FezzError {
    fn from(response: FezzResponse) -> Self {
        Self(Kind::Answer(Box::new(response)))
    }
}

impl From<Rejection> for FezzError {
    fn from(rejection: Rejection) -> Self {
        rejection.into_response().into()
    }
}

impl From<String> for FezzError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for FezzError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// An error or a rejection of this crate in the box keeps its response.
impl From<Box<dyn StdError + Send + Sync>> for FezzError {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return *own,
            Err(error) => error,
        };
        match error.downcast::<Rejection>() {
            Ok(rejection) => (*rejection).into(),
            Err(error) => Self(Kind::Std(error)),
        }
    }
}

impl From<Box<dyn StdError>> for FezzError {
    fn from(error: Box<dyn StdError>) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return *own,
            Err(error) => error,
        };
        match error.downcast::<Rejection>() {
            Ok(rejection) => (*rejection).into(),
            // It may not be `Send`, and so only its text is kept.
            Err(error) => Self::new(fezz_wire::chain(&*error)),
        }
    }
}

/// `From` for every `Error` is not to be had in Rust beside being one: so those of the standard library by name.
macro_rules! from_errors_of_std {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for FezzError {
            fn from(error: $error) -> Self {
                Self(Kind::Std(Box::new(error)))
            }
        })*
    };
}

from_errors_of_std!(
    std::array::TryFromSliceError,
    std::char::ParseCharError,
    std::env::VarError,
    std::fmt::Error,
    std::io::Error,
    std::net::AddrParseError,
    std::num::ParseFloatError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::sync::mpsc::RecvError,
    std::time::SystemTimeError,
    http::Error,
);

#[cfg(feature = "json")]
from_errors_of_std!(serde_json::Error);

/// The error that `?` makes from every error: for a function that calls many libraries. Else a [`FezzError`], whose
/// rules it follows.
///
/// It doesn't implement [`std::error::Error`] itself: then it could not be made from all of them.
///
/// ```
/// use fezz::prelude::*;
///
/// #[fezz_function(path = "/sum")]
/// fn sum(request: FezzRequest) -> Result<String, fezz::Error> {
///     let all: Vec<u32> = serde_json::from_slice(request.bytes())?;
///     Ok(all.iter().sum::<u32>().to_string())
/// }
/// ```
#[derive(Debug)]
pub struct Error(FezzError);

impl Error {
    /// An error with this message for the log.
    pub fn new(message: impl Into<String>) -> Self {
        Self(FezzError::new(message))
    }

    /// The message for the log with all its sources; `None` where the error stands for a response that was chosen.
    pub fn message(&self) -> Option<String> {
        self.0.message()
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::<dyn StdError>::from(error).into())
    }
}

impl From<FezzResponse> for Error {
    fn from(response: FezzResponse) -> Self {
        Self(response.into())
    }
}

impl From<Error> for FezzError {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> FezzResponse {
        self.0.into_response()
    }
}

/// The `E` of a function's `Result<T, E>`: whatever becomes a [`FezzError`] by `Into`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the error of a function",
    label = "doesn't become a `FezzError`",
    note = "return `FezzError`, or `fezz::Error`, which `?` makes from every error",
    note = "or write `impl From<{Self}> for FezzError`, which may choose the response"
)]
pub trait IntoError {
    /// Makes the error.
    fn into_error(self) -> FezzError;
}

// Without this the compiler would only report a missing `From`, not why it is needed.
#[diagnostic::do_not_recommend]
impl<E: Into<FezzError>> IntoError for E {
    fn into_error(self) -> FezzError {
        self.into()
    }
}
