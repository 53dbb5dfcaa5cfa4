//! Where releases come from. A source yields snapshots of what should be served; the catalogue is built from one without
//! reading a disk.
//!
//! A [`Folder`] is the source of the program `hhrf`: everything under `functions/`. `release_folder` makes a release of
//! one folder there; `code_file` looks at a module or a program without running it, and `owned_file` refuses files that others
//! could change. A [`GatewayFile`] has many functions in one file, and [`Both`] puts two sources together. [`Secrets`] are read with each release. A program that embeds the host may have a source of its own.

mod both;
mod code_file;
mod folder;
mod gateway;
mod owned_file;
mod release_folder;
mod secrets;

pub use both::Both;
pub use folder::Folder;
pub use gateway::GatewayFile;
pub use secrets::Secrets;

use crate::release::{ModuleStore, Release};
use crate::settings::Settings;
use std::error::Error;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

/// Where releases come from.
pub trait Source: Debug + Send {
    /// What should be served now. A release that is as it was in the snapshot before is the same `Arc`: then its processes
    /// and its copy of the module stay.
    ///
    /// # Errors
    ///
    /// The source can't be read. The previous functions are still served, and the error is logged.
    fn snapshot(&mut self) -> Reading<'_>;

    /// Waits until there may be another snapshot. May be dropped and called again. The host calls it when it serves the
    /// snapshot before.
    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The source that the settings say: `functions/`, with a gateway file beside it or instead of it.
pub fn of(settings: &Settings, store: Arc<ModuleStore>) -> Box<dyn Source> {
    let secrets = Secrets::new(settings.secrets.clone());
    let folder = Folder::watched(&settings.root, Arc::clone(&store)).with_secrets(secrets.clone());
    match &settings.gateway {
        None => Box::new(folder),
        Some(path) => Box::new(Both::new(folder.optional(), GatewayFile::new(path.clone(), store, secrets))),
    }
}

impl Source for Box<dyn Source> {
    fn snapshot(&mut self) -> Reading<'_> {
        (**self).snapshot()
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        (**self).changed()
    }
}

/// A snapshot that is being read.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Snapshot, SourceError>> + Send + 'a>>;

/// Why a source has no snapshot.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// What should be served.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// One for each name; a second one of the same name is rejected.
    pub entries: Vec<Entry>,
    /// Why parts of the source can't be read: `entries` has what they yielded last.
    pub failures: Vec<SourceError>,
}

/// One function of a snapshot.
#[derive(Debug)]
pub struct Entry {
    /// Where it comes from, for operators: for example a path.
    pub origin: String,
    /// The release, which is served under its own name; or why there is none.
    pub release: Result<Arc<Release>, Unavailable>,
}

/// A release that the source can't provide. The previous one of the same name is still served.
#[derive(Debug)]
pub struct Unavailable {
    /// `<id>@<version>`
    pub name: String,
    /// What is wrong.
    pub cause: SourceError,
}

impl Entry {
    /// `<id>@<version>`
    pub fn name(&self) -> String {
        match &self.release {
            Ok(release) => release.name(),
            Err(unavailable) => unavailable.name.clone(),
        }
    }
}
