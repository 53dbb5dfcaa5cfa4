//! What `#[fezz_app]` serves.

use crate::{FezzRequest, FezzResponse};
use std::sync::OnceLock;

/// What the function below `#[fezz_app]` may return: a [`Router`](crate::Router), or with the feature `tower` any tower
/// service that answers an `http::Request<Full<Bytes>>`, such as axum's router.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be served by `#[fezz_app]`",
    label = "is no app",
    note = "return `fezz::Router`; a tower service, such as `axum::Router`, needs the feature `tower` of fezz, and to be `Clone + Send + Sync`"
)]
pub trait App: Send + Sync + 'static {
    /// Answers a request.
    fn call(&self, request: FezzRequest) -> FezzResponse;
}

/// The app of a module, built once. No part of the API: it changes with the macro.
pub struct AppCell(OnceLock<Box<dyn App>>);

impl AppCell {
    /// Not built yet.
    #[expect(clippy::new_without_default, reason = "it stands in a static")]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The app; builds it where it is the first to ask.
    pub fn get<A: App>(&self, build: impl FnOnce() -> A) -> &dyn App {
        &**self.0.get_or_init(|| Box::new(build()))
    }
}
