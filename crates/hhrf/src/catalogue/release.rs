//! A release: one immutable version of a function, as it was accepted.

use crate::source::{KeptModule, ModuleStore};
use fezz_manifest::names::full_name;
use fezz_manifest::{Execution, Limits, Manifest, Metadata, MetadataError, RoutePattern};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a request needs to know of the function that it goes to.
#[derive(Debug)]
pub struct Release {
    /// The id in its manifest.
    pub id: String,
    /// The version in its manifest.
    pub version: String,
    /// The module, as it was when it was accepted.
    pub module: KeptModule,
    /// Its environment variables.
    pub env: Vec<(String, String)>,
    /// What a request may take.
    pub limits: Limits,
    /// The TCP ports that it may connect to; none stands for no network.
    pub connect: Vec<u16>,
    /// How a request is executed; `None` leaves it to the host's settings.
    pub execution: Option<Execution>,
    /// The most prewarmed processes; `None` leaves it to the host's settings.
    pub spare: Option<u32>,
    /// From admission to the end of the process.
    pub timeout: Duration,
    /// The paths that lead to it.
    pub routes: Vec<RoutePattern>,
}

/// Why a manifest and a module make no release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The module can't be copied.
    #[error("the module can't be kept ({0}): is the disk full, or the folder of --modules gone?")]
    NotKept(#[source] io::Error),
    /// What the module says about itself, or a route of the manifest.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

impl Release {
    /// Of a `manifest` and its `module`, a checked ELF file that `store` keeps; `section` is the JSON of its section
    /// `.fezz.manifest`, if it has one.
    ///
    /// # Errors
    ///
    /// See [`ReleaseError`].
    pub fn new(
        manifest: Manifest,
        module: &[u8],
        section: Option<&[u8]>,
        store: &Arc<ModuleStore>,
    ) -> Result<Self, ReleaseError> {
        let metadata = section.map(Metadata::parse).transpose()?.unwrap_or_default();
        let (timeout, routes) = (manifest.timeout(&metadata)?, manifest.routes(&metadata)?);
        let name = full_name(&manifest.id, &manifest.version);
        Ok(Self {
            timeout,
            routes,
            module: store.keep(&name, module).map_err(ReleaseError::NotKept)?,
            id: manifest.id,
            version: manifest.version,
            env: manifest.env.into_iter().collect(),
            limits: manifest.limits,
            connect: manifest.network.connect,
            execution: manifest.execution,
            spare: manifest.spare,
        })
    }

    /// `<id>@<version>`
    pub fn name(&self) -> String {
        full_name(&self.id, &self.version)
    }

    /// How its requests are executed: as its manifest says, else by `default`; but with a folder to write to, never by
    /// processes that would share it.
    pub fn execution_or(&self, default: Execution) -> Execution {
        match self.execution {
            Some(execution) => execution,
            None if self.limits.scratch_bytes > 0 => Execution::Spawn,
            None => default,
        }
    }
}
