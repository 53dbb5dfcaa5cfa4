//! A way to have a function answer.

use crate::bare::BareError;
use crate::http::HttpError;

/// Why a run ends without a table: a figure of something that failed would be worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum ContenderError {
    /// The plain spawn.
    #[error(transparent)]
    Bare(#[from] BareError),
    /// A server: the host or a peer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// One client: each call is one request, from its sending to its whole answer.
pub type Client = Box<dyn FnMut() -> Result<(), ContenderError> + Send>;

/// What is measured.
pub trait Contender: Sync {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// A client for a thread of its own.
    ///
    /// # Errors
    ///
    /// The server can't be connected to.
    fn client(&self) -> Result<Client, ContenderError>;
}
