//! The configuration of a host: its jail, its executor, and the manifests of its functions.

use crate::build::Build;
use crate::function::Function;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The configuration of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup<'a> {
    /// The jail of the functions.
    pub jail: Jail,
    /// The executor of the functions.
    pub execution: Execution,
    /// Whether each processor has a runtime.
    pub per_core: bool,
    /// The functions.
    pub functions: &'a [Function],
    /// How many copies of the first function, each under a name of its own.
    pub copies: usize,
    /// How many MiB the function `touch` touches while it loads.
    pub touch_mib: u64,
    /// How many pages the function `dirty` writes for each request.
    pub dirty_pages: u64,
    /// The URL of the database that the function `select` asks.
    pub database: Option<&'a str>,
}

/// The program that makes the jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Jail {
    /// No jail.
    Off,
    /// The runner.
    Strict,
    /// bubblewrap, by `jail/bwrap-fezz-runner`, and the runner's `inner` jail.
    Bwrap,
}

/// An executor, and how many idle processes it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The manifest's `execution`.
    pub name: &'static str,
    /// The manifest's `spare`; the host's default if `None`.
    pub spare: Option<u32>,
}

impl Execution {
    /// A process for each request, forked from one that has loaded the module.
    pub const FORK: Self = Self { name: "fork", spare: None };
    /// Processes forked in the same way, whose memory is put back after each request.
    pub const REWIND: Self = Self { name: "rewind", spare: None };
    /// A process for each request, started when the request arrives.
    pub const SPAWN: Self = Self { name: "spawn", spare: Some(0) };
    /// Long-lived processes that have loaded the module.
    pub const WORKER: Self = Self { name: "worker", spare: None };
    /// The host's own process, which has loaded the module.
    pub const IN_PROCESS: Self = Self { name: "in-process", spare: None };
    /// A prewarmed process for each request. One would be enough for a client that pauses; four serve a few requests at
    /// a time.
    pub const SPAWN_PREWARMED: Self = Self { name: "spawn", spare: Some(4) };
}

impl<'a> Setup<'a> {
    /// These functions in the strict jail, and no copies.
    pub fn strict(execution: Execution, functions: &'a [Function]) -> Self {
        let jail = Jail::Strict;
        let per_core = false;
        Self { jail, execution, per_core, functions, copies: 0, touch_mib: 0, dirty_pages: 0, database: None }
    }
}

impl Jail {
    /// The value of the host's `--jail`.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Strict => "strict",
            Self::Bwrap => "inner",
        }
    }

    /// The path of the host's runner. For bubblewrap, a copy of the repository's wrapper and of the runner in `folder`,
    /// as an operator installs them.
    ///
    /// # Errors
    ///
    /// A file can't be copied.
    pub(crate) fn runner(self, build: &Build, folder: &Path) -> io::Result<PathBuf> {
        const WRAPPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail/bwrap-fezz-runner");
        if self != Self::Bwrap {
            return Ok(build.runner());
        }
        let wrapper = folder.join("bwrap-fezz-runner");
        fs::copy(WRAPPER, &wrapper)?;
        fs::copy(build.runner(), folder.join("fezz-runner"))?;
        Ok(wrapper)
    }
}

impl Setup<'_> {
    /// Installs all functions in `root`.
    ///
    /// # Errors
    ///
    /// A file can't be written.
    pub(crate) fn install(&self, build: &Build, root: &Path) -> io::Result<()> {
        for &function in self.functions {
            self.install_as(function.id(), function, build, root)?;
        }
        let first = self.functions.first();
        for (copy, &function) in (0..self.copies).zip(first.into_iter().cycle()) {
            self.install_as(&copy_id(function, copy), function, build, root)?;
        }
        Ok(())
    }

    fn install_as(&self, id: &str, function: Function, build: &Build, root: &Path) -> io::Result<()> {
        let folder = function_folder(root, id);
        fs::create_dir_all(&folder)?;
        fs::copy(build.module(function), folder.join(function.entry()))?;
        fs::write(folder.join("fezz.json"), self.manifest(id, function).to_string())
    }

    fn manifest(&self, id: &str, function: Function) -> Value {
        // A route of its own: by default, a copy would claim the route in its module, which is the first one's.
        let mut manifest = json!({
            "id": id, "version": Function::VERSION, "entry": function.entry(),
            "routes": [{"path": format!("/bench/{id}")}],
            "execution": self.execution.name,
        });
        let mut set = |key: &str, value: Value| manifest[key] = value;
        if let Some(spare) = self.execution.spare {
            set("spare", spare.into());
        }
        if let Some(url) = self.database {
            // All 16 clients at a time, twice as many as connections, so that no connection is idle.
            set("worker", json!({"min": 2, "max": 2, "concurrency": 8}));
            set("resources", json!({"postgres": url}));
        }
        if function == Function::Dirty {
            set("env", json!({"DIRTY_PAGES": self.dirty_pages.to_string()}));
        }
        if function == Function::Touch {
            // The usual limit, plus the memory that it touches.
            const MEMORY_MIB: u64 = 128;
            set("env", json!({"TOUCH_MIB": self.touch_mib.to_string()}));
            set("limits", json!({"memory_bytes": (self.touch_mib + MEMORY_MIB) << 20}));
        }
        manifest
    }
}

/// The id of the n-th copy.
pub(crate) fn copy_id(function: Function, copy: usize) -> String {
    format!("{}-{copy}", function.id())
}

/// The folder of a function in a host's root.
pub(crate) fn function_folder(root: &Path, id: &str) -> PathBuf {
    root.join("functions").join(format!("{id}@{}", Function::VERSION))
}
