//! A way to have a function answer.

use crate::bare::BareError;
use crate::host::HostError;

/// Why a run ends without a table: a figure of something that failed would be worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum ContenderError {
    /// The plain spawn.
    #[error(transparent)]
    Bare(#[from] BareError),
    /// The host.
    #[error(transparent)]
    Host(#[from] HostError),
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
    /// The host can't be connected to.
    fn client(&self) -> Result<Client, ContenderError>;
}
