//! The program that confines itself, loads the module and calls it: where it is, and its command line.

use fezz_manifest::Manifest;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The runner's name.
const PROGRAM: &str = "fezz-runner";

/// Where the clone has it that this program was built from.
const BUILT: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/release"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/debug"),
];

/// How the runner confines itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Jail {
    /// As a host does by default.
    #[default]
    Strict,
    /// Without namespaces, and without a root folder of its own: for instance in a container.
    Inner,
    /// Not at all: the function may do all that you may.
    Off,
}

impl Jail {
    /// Each way.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Inner, Self::Off];

    /// Its name on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Inner => "inner",
            Self::Off => "off",
        }
    }
}

/// There is no runner.
#[derive(Debug, thiserror::Error)]
#[error(
    "fezz-runner isn't beside this program, nor on PATH: run `cargo install --path crates/fezz-runner` in a clone of Fezz, or name \
     the program by --runner"
)]
pub struct NoRunner;

/// Finds the runner: the one that is named, else beside this program, else in the clone that it was built from, else on
/// PATH.
pub fn find(named: Option<&Path>) -> Result<PathBuf, NoRunner> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    find_program(PROGRAM).ok_or(NoRunner)
}

/// Finds a program of Fezz: beside this one, in the clone that this one was built from, or on PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = beside.into_iter().chain(BUILT.map(PathBuf::from)).chain(std::env::split_paths(&path));
    first(folders, name)
}

/// The file `name` of the first folder that has it, by a path without `..`: people read it.
fn first(mut folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders.find_map(|folder| folder.join(name).canonicalize().ok().filter(|program| program.is_file()))
}

/// The command that serves one request by a function of this `manifest`, which is resolved and whose module is the file
/// `module`, as a host would. The runner ends itself at the deadline. A program (`binary`) becomes a worker, which reads frames
/// from its stdin.
pub(crate) fn command(
    program: &Path,
    jail: Jail,
    manifest: &Manifest,
    module: &Path,
    timeout: Duration,
) -> Command {
    let limits = &manifest.limits;
    let mut command = Command::new(program);
    command.env_clear().args(["--function", &manifest.id, "--function-version", &manifest.version]);
    let mut number = |option: &str, value: u64| {
        command.args([option, &value.to_string()]);
    };
    number("--memory-bytes", limits.memory_bytes);
    number("--descriptors", limits.descriptors);
    if manifest.binary.is_none() {
        number("--cpu-ms", limits.cpu_ms);
        number("--timeout-ms", u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    }
    if jail != Jail::Off {
        number("--threads", limits.threads);
        manifest.network.connect.iter().for_each(|port| number("--connect", (*port).into()));
    }
    if jail == Jail::Strict && limits.scratch_bytes > 0 {
        number("--scratch-bytes", limits.scratch_bytes);
    }
    command.args(["--jail", jail.as_str()]);
    if manifest.binary.is_some() {
        command.arg("--program");
    }
    for (name, value) in manifest.env.iter() {
        // The value isn't on the command line, which every user can read.
        command.args(["--env", name]).env(format!("FEZZ_ENV_{name}"), value);
    }
    command.arg(module);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_a_path_without_dots() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let folders = [folder.join("missing"), folder.join("src/../src")];
        let expected = folder.canonicalize().unwrap().join("src/runner.rs");
        assert_eq!(first(folders.into_iter(), "runner.rs"), Some(expected));
    }
}
