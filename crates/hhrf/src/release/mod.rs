//! A release: one immutable version of a function. A [source](crate::source) makes releases, the
//! [catalogue](crate::catalogue) serves them.
//!
//! A [`ModuleStore`] keeps their modules, and a [`Digest`] names the bytes of one.

mod digest;
mod store;

pub use digest::Digest;
pub use store::{Artifact, ModuleStore, StoreError};

use crate::execute::native::Native;
use fezz_manifest::module::unique_symbol;
use fezz_manifest::names::full_name;
use fezz_manifest::{Execution, Limits, Manifest, Metadata, MetadataError, RoutePattern, Variables, Worker};
use http::{HeaderMap, HeaderName};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What requests need to know of their function.
#[derive(Debug)]
pub struct Release {
    /// The id in its manifest.
    pub id: String,
    /// The version in its manifest.
    pub version: String,
    /// What is executed.
    pub code: Code,
    /// Its environment variables, with its secrets and resources.
    pub env: Variables,
    /// The limits of a request.
    pub limits: Limits,
    /// The TCP ports that it may connect to; if there are none, it has no network.
    pub connect: Vec<u16>,
    /// How a request is executed; `None` leaves it to the host's settings.
    pub execution: Option<Execution>,
    /// The most prewarmed processes; `None` leaves it to the host's settings.
    pub spare: Option<u32>,
    /// How many workers there are, where workers execute it.
    pub worker: Worker,
    /// From admission to the end of the process.
    pub timeout: Duration,
    /// The paths that lead to it.
    pub routes: Vec<RoutePattern>,
    /// Added to each response that hasn't got them.
    pub response_headers: Arc<HeaderMap>,
}

/// What a release executes.
#[derive(Debug)]
pub enum Code {
    /// A module, by the executor that the manifest names.
    Module {
        /// The host's copy.
        artifact: Artifact,
        /// Of its bytes: releases with the same digest run the same code.
        digest: Digest,
        /// Whether it may be unmapped from the host's process.
        unload: bool,
        /// A symbol that would be the same for all modules in the host's process.
        unique_symbol: Option<String>,
    },
    /// A program of the author's own, which serves as a worker.
    Program {
        /// The host's copy.
        artifact: Artifact,
        /// Of its bytes.
        digest: Digest,
    },
    /// Code of the program that embeds the host, in its own process.
    Native(Arc<dyn Native>),
}

/// Why a manifest and a module can't become a release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The module can't be copied.
    #[error("failed to copy the module ({0}): is the disk full, or the folder of --modules gone?")]
    NotKept(#[source] io::Error),
    /// The module's metadata, or a route of the manifest, is invalid.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The function would miss what its manifest promises it.
    #[error(
        "its secrets and resources have no values: the source of its release must call `Manifest::resolve`"
    )]
    Unresolved,
}

impl Release {
    /// Of a `manifest`, which is resolved, and the file that it names, which was checked and which `store` keeps: a module, or a program. `section`
    /// is the JSON of a module's section `.fezz.manifest`, if it has one.
    ///
    /// # Errors
    ///
    /// See [`ReleaseError`].
    pub fn new(
        manifest: Manifest,
        bytes: &[u8],
        section: Option<&[u8]>,
        store: &Arc<ModuleStore>,
    ) -> Result<Self, ReleaseError> {
        let metadata = section.map(Metadata::parse).transpose()?.unwrap_or_default();
        let name = full_name(&manifest.id, &manifest.version);
        let extension = if manifest.binary.is_some() { "" } else { ".so" };
        let artifact = store.keep(&name, extension, bytes).map_err(ReleaseError::NotKept)?;
        let digest = Digest::of(bytes);
        let code = match manifest.binary {
            Some(_) => Code::Program { artifact, digest },
            None => Code::Module {
                artifact,
                digest,
                unload: manifest.unload,
                unique_symbol: unique_symbol(bytes),
            },
        };
        Self::of(manifest, &metadata, code)
    }

    /// Of a `manifest` and code of the program that embeds the host, which may do all that the program may: `entry`,
    /// `execution`, `spare`, `network`, and the limits of processes have no effect.
    ///
    /// # Errors
    ///
    /// A route or the timeout of the manifest is invalid, or it isn't resolved.
    pub fn native(manifest: Manifest, native: Arc<dyn Native>) -> Result<Self, ReleaseError> {
        Self::of(manifest, &Metadata::default(), Code::Native(native))
    }

    fn of(manifest: Manifest, metadata: &Metadata, code: Code) -> Result<Self, ReleaseError> {
        if !manifest.is_resolved() {
            return Err(ReleaseError::Unresolved);
        }
        let (timeout, routes) = (manifest.timeout(metadata)?, manifest.routes(metadata)?);
        Ok(Self {
            timeout,
            routes,
            code,
            id: manifest.id,
            version: manifest.version,
            env: manifest.env,
            limits: manifest.limits,
            connect: manifest.network.connect,
            execution: manifest.execution,
            spare: manifest.spare,
            worker: manifest.worker.unwrap_or_default(),
            response_headers: Arc::new(headers(&manifest.response_headers)),
        })
    }

    /// Of its module or program, if it has one.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.code {
            Code::Module { digest, .. } | Code::Program { digest, .. } => Some(digest),
            Code::Native(_) => None,
        }
    }

    /// `<id>@<version>`
    pub fn name(&self) -> String {
        full_name(&self.id, &self.version)
    }

    /// The host's copy of its module or program, if it has one.
    pub fn artifact(&self) -> Option<&Artifact> {
        match &self.code {
            Code::Module { artifact, .. } | Code::Program { artifact, .. } => Some(artifact),
            Code::Native(_) => None,
        }
    }

    /// How its requests are executed: as its manifest says, else by `default`. A program is always a worker. A function with a scratch folder is
    /// never forked by default, since its processes would share the folder.
    pub(crate) fn execution_or(&self, default: Execution) -> Execution {
        match self.execution {
            Some(execution) => execution,
            None if matches!(self.code, Code::Program { .. }) => Execution::Worker,
            None if self.limits.scratch_bytes > 0 => Execution::Spawn,
            None => default,
        }
    }
}

/// The headers of a manifest, which has checked them.
fn headers(of_manifest: &BTreeMap<String, String>) -> HeaderMap {
    let pairs = of_manifest.iter();
    let pairs =
        pairs.filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)));
    pairs.collect()
}
