//! What `on_load` may return.

use crate::{FezzError, IntoError};

/// Whether a module can serve: `()`, or a `Result<(), E>` whose `E` is any error that a function may return.
///
/// The error is logged like that of a function. If the error is a response, there is no client to send it to: only its
/// status is logged.
#[diagnostic::on_unimplemented(
    message = "`on_load` can't return `{Self}`",
    label = "says neither that it succeeded nor what failed",
    note = "expected `fn load(context: &fezz::LoadContext)`, which returns nothing or a `Result<(), E>`"
)]
pub trait IntoLoaded {
    /// Nothing, or what failed.
    ///
    /// # Errors
    ///
    /// What `on_load` returned.
    fn into_loaded(self) -> Result<(), FezzError>;
}

impl IntoLoaded for () {
    fn into_loaded(self) -> Result<(), FezzError> {
        Ok(())
    }
}

impl<E: IntoError> IntoLoaded for Result<(), E> {
    fn into_loaded(self) -> Result<(), FezzError> {
        self.map_err(IntoError::into_error)
    }
}
