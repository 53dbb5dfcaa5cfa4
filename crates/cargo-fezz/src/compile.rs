//! Has cargo compile a package's module, or its program.

use crate::project::Project;
use crate::terminal;
use cargo_metadata::{Artifact, Message};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io::{self, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The release profile that makes a small module, where the author's Cargo.toml doesn't say otherwise. A module is
/// copied and mapped for each deployment or request.
const SMALL: [(&str, &str); 3] = [
    // Without code of the dependencies that no one calls.
    ("lto", "\"thin\""),
    ("codegen-units", "1"),
    // Keeps the names that a backtrace in the function's log needs.
    ("strip", "\"debuginfo\""),
];

/// How to compile.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Compile without optimisation: compiling is faster, the module is slower and larger.
    #[arg(long)]
    pub(crate) debug: bool,
    /// Compile for another system, by cargo-zigbuild. A version of glibc may follow: x86_64-unknown-linux-gnu.2.31 runs with
    /// glibc 2.31 and newer.
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Options of `cargo build`, after `--`: `-- --features postgres --locked`.
    #[arg(last = true, value_name = "OPTIONS")]
    pub(crate) cargo: Vec<OsString>,
}

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    #[error("failed to read `{}`", path.display())]
    Profile { path: PathBuf, source: io::Error },
    #[error("`{}` is not TOML", path.display())]
    ProfileSyntax { path: PathBuf, source: toml::de::Error },
    #[error("failed to run cargo: is it on PATH?")]
    NotRun(#[source] io::Error),
    #[error("failed to read cargo's messages")]
    Messages(#[source] io::Error),
    #[error("cargo can't compile the function ({status}): its messages are above")]
    Failed { status: ExitStatus },
    #[error("cargo has made no shared library for this target: name one of Linux with glibc by `--target`")]
    NoModule,
    #[error(
        "cargo has made no program `{program}`: build the package whole, without options that leave it out"
    )]
    NoProgram { program: String },
    #[error(
        "cargo-zigbuild, which compiles for `{target}`, isn't installed: run `cargo install cargo-zigbuild` and `pip install \
         ziglang`, and `rustup target add` for a target that isn't this machine's"
    )]
    NoZigbuild { target: String },
}

impl Options {
    /// The processor that it compiles for.
    pub(crate) fn architecture(&self) -> &str {
        match self.target.as_deref().and_then(|target| target.split('-').next()) {
            // The compiler's name has the extensions; ELF's and std's has not.
            Some(architecture) => architecture.trim_end_matches("gc"),
            None => std::env::consts::ARCH,
        }
    }
}

/// Lets another thread end a compilation, with all processes that cargo has started.
#[derive(Debug, Default)]
pub(crate) struct Stopper(Mutex<Running>);

#[derive(Debug, Default)]
enum Running {
    #[default]
    Nothing,
    /// The process group of cargo.
    Cargo(Pid),
    /// No compilation begins any more.
    Stopped,
}

impl Stopper {
    /// Ends the compilation that runs, and each one that begins later.
    pub(crate) fn stop(&self) {
        let mut running = self.running();
        if let Running::Cargo(group) = *running {
            // It may have ended by itself.
            kill_process_group(group, Signal::TERM).ok();
        }
        *running = Running::Stopped;
    }

    fn started(&self, cargo: &Child) {
        let mut running = self.running();
        let group = Pid::from_child(cargo);
        match *running {
            Running::Stopped => drop(kill_process_group(group, Signal::TERM)),
            _ => *running = Running::Cargo(group),
        }
    }

    /// To be called before cargo is reaped: then its process group may be another's.
    fn ends(&self) {
        let mut running = self.running();
        if let Running::Cargo(_) = *running {
            *running = Running::Nothing;
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // Nothing that is done under the lock can panic halfway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles the package, and returns the file of its module or program. cargo's own messages go to stderr. With a `stopper`, cargo is in a
/// process group of its own.
pub(crate) fn compile(
    project: &Project,
    options: &Options,
    stopper: Option<&Stopper>,
) -> Result<PathBuf, CompileError> {
    let mut command = cargo(options.target.as_deref())?;
    match project.program() {
        Some(program) => command.args(["--bin", program]),
        None => command.arg("--lib"),
    };
    command.args(["--message-format", "json-render-diagnostics", "--manifest-path"]);
    command.arg(&project.package.manifest_path);
    if !options.debug {
        command.arg("--release");
        for setting in small_profile(&project.root.join("Cargo.toml"))? {
            command.args(["--config", &setting]);
        }
    }
    command.args(&options.cargo).stdin(Stdio::null()).stdout(Stdio::piped());
    if stopper.is_some() {
        command.process_group(0);
    }
    let mut cargo = command.spawn().map_err(CompileError::NotRun)?;
    stopper.iter().for_each(|stopper| stopper.started(&cargo));
    let output = cargo.stdout.take().expect("stdout is piped");
    let mut made = None;
    for message in Message::parse_stream(BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message.map_err(CompileError::Messages)? {
            made = made_of(&artifact, project).or(made);
        }
    }
    stopper.iter().for_each(|stopper| stopper.ends());
    let status = cargo.wait().map_err(CompileError::NotRun)?;
    if !status.success() {
        return Err(CompileError::Failed { status });
    }
    made.ok_or_else(|| match project.program() {
        Some(program) => CompileError::NoProgram { program: program.to_owned() },
        None => CompileError::NoModule,
    })
}

/// The cargo that runs this program, else the one on PATH.
pub(crate) fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// `cargo build`; for a `target`, cargo-zigbuild's form of it, which links against any version of any system's glibc.
fn cargo(target: Option<&str>) -> Result<Command, CompileError> {
    let mut command = Command::new(program());
    match target {
        None => command.arg("build"),
        Some(target) if is_installed("cargo-zigbuild") => command.args(["zigbuild", "--target", target]),
        Some(target) => return Err(CompileError::NoZigbuild { target: target.to_owned() }),
    };
    Ok(command)
}

/// Whether cargo finds a subcommand's program: on PATH, or where `cargo install` puts programs.
fn is_installed(program: &str) -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path).chain(home.map(|home| home.join("bin")));
    folders.any(|folder| folder.join(program).is_file())
}

/// The file that is the function's, if this artifact has it.
fn made_of(artifact: &Artifact, project: &Project) -> Option<PathBuf> {
    if artifact.package_id != project.package.id {
        return None;
    }
    let made = match project.program() {
        Some(program) if artifact.target.is_bin() && artifact.target.name == program => {
            artifact.executable.as_ref()
        }
        None if artifact.target.is_cdylib() => {
            artifact.filenames.iter().find(|file| file.extension() == Some("so"))
        }
        _ => None,
    };
    made.map(|file| file.clone().into_std_path_buf())
}

/// The settings of [`SMALL`] that neither the workspace's Cargo.toml nor the environment has. `--config` would override
/// both.
fn small_profile(path: &Path) -> Result<Vec<String>, CompileError> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| CompileError::Profile { path: path.to_owned(), source })?;
    let manifest: toml::Table =
        text.parse().map_err(|source| CompileError::ProfileSyntax { path: path.to_owned(), source })?;
    let own = manifest.get("profile").and_then(|profiles| profiles.get("release"));
    if own.and_then(|own| own.get("panic")).and_then(toml::Value::as_str) == Some("abort") {
        terminal::warning(&format!(
            "`{}` sets `panic = \"abort\"`: a panic then crashes the process, and the log lacks its text; remove that line",
            path.display()
        ));
    }
    let is_left_out = |key: &str| {
        let variable = format!("CARGO_PROFILE_RELEASE_{}", key.to_uppercase().replace('-', "_"));
        own.is_none_or(|own| own.get(key).is_none()) && std::env::var_os(variable).is_none()
    };
    let left_out = SMALL.iter().filter(|(key, _)| is_left_out(key));
    Ok(left_out.map(|(key, value)| format!("profile.release.{key}={value}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_s_profile_counts_before_the_small_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let check = |text: &str, expected: &[&str]| {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(small_profile(file.path()).unwrap(), expected, "{text}");
        };
        let [lto, units, strip] = [
            "profile.release.lto=\"thin\"",
            "profile.release.codegen-units=1",
            "profile.release.strip=\"debuginfo\"",
        ];
        check("", &[lto, units, strip]);
        check("[profile.release]\nlto = false\nstrip = true", &[units]);
        check("[profile.dev]\nlto = false", &[lto, units, strip]);
    }
}
