//! What can go wrong with a server as a whole. Failures of requests are in the log.

use fezz_manifest::{ManifestError, MetadataError};
use hhrf::release::StoreError;
use hhrf::server::BuildError;
use hhrf::settings::SettingsError;
use std::fmt::{self, Debug, Formatter};
use std::io;

/// Why a server or one of its functions can't serve.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The host that the configuration names isn't an address.
    #[error("failed to listen on the host `{host}`: give an IP address, for instance 127.0.0.1 or ::1")]
    Host {
        /// As given.
        host: String,
    },
    /// A setting is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The address is taken, the jail doesn't hold, or the folder can't be read.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The modules of a folder can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Signals can't be received.
    #[error("failed to receive signals")]
    Signals(#[source] io::Error),
    /// The server has listened before.
    #[error("the server was started before, and its functions end with it: make another")]
    Started,
    /// Another function has the id.
    #[error("the function `{id}` is registered already: unregister it first, or choose another name")]
    Taken {
        /// The id.
        id: String,
    },
    /// The id, the version, a variable or a limit is invalid.
    #[error("failed to register the function `{id}`")]
    Invalid {
        /// The id.
        id: String,
        /// The rule.
        source: ManifestError,
    },
    /// A route or the timeout is invalid.
    #[error("failed to register the function `{id}`")]
    Route {
        /// The id.
        id: String,
        /// The rule.
        source: MetadataError,
    },
    /// `on_load` returned an error or panicked.
    #[error("on_load of the function `{id}` failed: {message}")]
    NotLoaded {
        /// The id.
        id: String,
        /// What it says.
        message: String,
    },
    /// Another function has one of its routes or its name.
    #[error("{0}")]
    NotServed(String),
    /// There is no function of that id.
    #[error("there is no function `{id}`")]
    NotRegistered {
        /// The id.
        id: String,
    },
    /// A call goes on after its deadline.
    #[error("calls of the function `{id}` still run after their deadline, so that on_unload isn't called")]
    StillRunning {
        /// The id.
        id: String,
    },
    /// `on_unload` returned an error or panicked.
    #[error("on_unload of the function `{id}` failed: {message}")]
    NotUnloaded {
        /// The id.
        id: String,
        /// What it says.
        message: String,
    },
    /// The server has ended, and its functions with it.
    #[error("the server has ended, and its functions with it: make another")]
    Ended,
    /// A second signal has ended the server.
    #[error("a second signal cut off the requests in flight")]
    Forced,
}

/// The text with its causes: a `main` that returns the error prints it so.
impl Debug for ServerError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&fezz_wire::chain(self))
    }
}
