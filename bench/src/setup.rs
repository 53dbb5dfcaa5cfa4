//! How a host is told to run functions: its jail, its executor, and the manifests that say so.

use crate::build::Build;
use crate::function::Function;
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What one host differs from another in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup<'a> {
    /// Who confines the functions.
    pub jail: Jail,
    /// How they are executed.
    pub execution: Execution,
    /// Which functions there are.
    pub functions: &'a [Function],
    /// How many further ones, each the first function under a name of its own.
    pub copies: usize,
    /// What `touch` touches as it is loaded, in MiB.
    pub touch_mib: u64,
}

/// Who makes the jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Jail {
    /// Nobody.
    Off,
    /// The runner.
    Strict,
    /// bubblewrap, by `jail/bwrap-fezz-runner`, and the runner what composes with it.
    Bwrap,
}

/// An executor, and how many processes it keeps ahead of need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The manifest's `execution`.
    pub name: &'static str,
    /// The manifest's `spare`; left to the host where there is none.
    pub spare: Option<u32>,
}

impl Execution {
    /// A process for each request, forked from one that has loaded the module.
    pub const FORK: Self = Self { name: "fork", spare: None };
    /// A process for each request, started when the request is there.
    pub const SPAWN: Self = Self { name: "spawn", spare: Some(0) };
    /// A process for each request, started before. One would do for a client that pauses; four take a few at a time.
    pub const SPAWN_AHEAD: Self = Self { name: "spawn", spare: Some(4) };
}

impl<'a> Setup<'a> {
    /// These functions in the strict jail, and no copies.
    pub fn strict(execution: Execution, functions: &'a [Function]) -> Self {
        Self { jail: Jail::Strict, execution, functions, copies: 0, touch_mib: 0 }
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

    /// What the host is to take for its runner. For bubblewrap, the repository's wrapper and a copy of the runner
    /// beside it, as they are installed, in `folder`.
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
    /// Puts all functions into `root`.
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
        // A route of its own: a copy's module would claim that of the first one.
        let mut manifest = json!({
            "id": id, "version": Function::VERSION, "entry": function.entry(),
            "routes": [{"path": format!("/bench/{id}")}],
            "execution": self.execution.name,
        });
        let mut set = |key: &str, value: Value| manifest[key] = value;
        if let Some(spare) = self.execution.spare {
            set("spare", spare.into());
        }
        if function == Function::Touch {
            // Beside what it touches, it may take as much as others.
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

/// Where a function lies in a host's root.
pub(crate) fn function_folder(root: &Path, id: &str) -> PathBuf {
    root.join("functions").join(format!("{id}@{}", Function::VERSION))
}
