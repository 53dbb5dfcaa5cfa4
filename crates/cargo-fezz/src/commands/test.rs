//! `cargo fezz test`.

use super::build::{self, BuildError};
use crate::compile;
use crate::exit::Exit;
use crate::project::{Project, ProjectError, Selection};
use crate::publish::{Existing, publish};
use crate::terminal;
use clap::Args;
use fezz_sandbox::runner::{self, NoRunner};
use fezz_sandbox::{Jail, variables};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Build the function, then run its tests: those in the test's process, and those that go through the real runner and jail
///
/// Runs `cargo test` for the package. Tests that use `fezz::testing::Sandboxed::built()` get the function that was built.
/// The exit status is that of the tests: 3 if one failed.
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    selection: Selection,
    /// Compile the module without optimisation: compiling is faster, the module is slower.
    #[arg(long)]
    debug: bool,
    /// Features of the package, for the module and for the tests.
    #[arg(short = 'F', long, value_name = "FEATURES")]
    features: Vec<OsString>,
    /// The folder of secrets, a file each, which `secrets` and `resources` of the manifest name.
    #[arg(long, value_name = "FOLDER", env = "HHRF_SECRETS")]
    secrets: Option<PathBuf>,
    /// The program fezz-runner; else the one beside this program, or on PATH.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// How the function is confined.
    #[arg(long, value_enum, default_value_t)]
    jail: Jail,
    /// Options of `cargo test`, after `--`: `-- --test jail`, `-- -- --nocapture`.
    #[arg(last = true, value_name = "OPTIONS")]
    cargo: Vec<OsString>,
}

/// Why no test ran.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    NoRunner(#[from] NoRunner),
    #[error("failed to run cargo: is it on PATH?")]
    NotRun(#[source] io::Error),
}

/// Where the function is, below the folder of its workspace. `invoke` takes functions in `*/functions/` for those of `watch`.
const TESTED: &str = "tested";

impl Test {
    pub(crate) fn run(&self) -> Result<Exit, TestError> {
        let project = Project::find(&self.selection)?;
        let runner = runner::find(self.runner.as_deref())?;
        let folder = self.build(&project)?;
        let runner = runner.canonicalize().unwrap_or(runner);
        let status = self.command(&project, &folder, &runner).status().map_err(TestError::NotRun)?;
        Ok(if status.success() { Exit::Done } else { Exit::Faulty })
    }

    /// The function's folder, below the target folder: a host that serves `functions/` isn't disturbed by a test.
    fn build(&self, project: &Project) -> Result<PathBuf, BuildError> {
        let cargo = self.features().collect();
        let (_, release) =
            build::make(project, &compile::Options { debug: self.debug, target: None, cargo }, None)?;
        let functions = project.fezz_folder().join(TESTED);
        publish(&release, &functions, Existing::Replace)?;
        let folder = functions.join(&release.name);
        terminal::status("Testing", &folder.display().to_string());
        Ok(folder)
    }

    fn command(&self, project: &Project, folder: &Path, runner: &Path) -> Command {
        let mut command = Command::new(compile::program());
        command.args(["test", "--package", &project.package.id.repr, "--manifest-path"]);
        command.arg(&project.package.manifest_path).args(self.features()).args(&self.cargo);
        command.env(variables::FUNCTION, folder).env(variables::RUNNER, runner);
        command.env(variables::JAIL, self.jail.as_str());
        // The tests run in the package's folder.
        let secrets =
            self.secrets.as_ref().map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.clone()));
        if let Some(secrets) = secrets {
            command.env(variables::SECRETS, secrets);
        }
        command
    }

    fn features(&self) -> impl Iterator<Item = OsString> {
        self.features.iter().flat_map(|features| ["--features".into(), features.clone()])
    }
}
