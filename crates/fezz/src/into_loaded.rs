//! What `on_load` may return.

use crate::{Error, IntoError};

/// Whether a module can serve: `()`, or a `Result<(), E>` whose `E` is any error that a function may return.
///
/// The host's log has the error as it would have a function's. A response as an error has nobody to go to: the log has
/// its status alone.
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
    fn into_loaded(self) -> Result<(), Error>;
}

impl IntoLoaded for () {
    fn into_loaded(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<E: IntoError> IntoLoaded for Result<(), E> {
    fn into_loaded(self) -> Result<(), Error> {
        self.map_err(IntoError::into_error)
    }
}
