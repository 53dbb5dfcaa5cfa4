//! One version of a function, ready to serve.

use super::KeptModule;
use super::module_file::FileIdentity;
use crate::gate::Gate;
use crate::memory::Account;
use fezz_manifest::names::full_name;
use fezz_manifest::{Execution, Limits, RoutePattern};
use std::sync::Arc;
use std::time::Duration;

/// What a request needs to know of the function that it goes to.
#[derive(Debug)]
pub struct Function {
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
    /// The most processes that wait ahead of requests; `None` leaves it to the host's settings.
    pub spare: Option<u32>,
    /// From admission to the end of the process.
    pub timeout: Duration,
    /// The paths that lead to it.
    pub routes: Vec<RoutePattern>,
    /// Its places: processes at a time, and requests that wait. Shared with a newer edition of the same version that
    /// has the same limits.
    pub gate: Arc<Gate>,
    /// What its requests hold of the host's memory. Shared with a newer edition of the same version.
    pub account: Arc<Account>,
    /// What it was read from: the same again means that nothing changed.
    pub edition: Edition,
}

/// The bytes of a manifest and the identity of a module's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// Of the file that the module was read from.
    pub module: FileIdentity,
}

impl Function {
    /// `<id>@<version>`: the folder's name, and the function's in logs.
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
