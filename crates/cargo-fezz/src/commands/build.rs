//! `cargo fezz build`.

use crate::compile::{self, CompileError, Stopper, compile};
use crate::exit::Exit;
use crate::manifest::{self, MakeError};
use crate::project::{Project, ProjectError, Selection};
use crate::publish::{Existing, Outcome, PublishError, publish};
use crate::terminal::{self, Format};
use clap::Args;
use fezz_sandbox::release::{self, Release, ReleaseError};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Compile a function, and make the folder that the host serves: `functions/<id>@<version>/`
///
/// The manifest is made of the arguments of `#[fezz_function]` and of the keys of `[package.metadata.fezz]` in Cargo.toml,
/// which override them. With the key `binary` there, a worker's own program is compiled instead of a module. A host that serves the folder sees the old release or the new one, never a part of either.
#[derive(Debug, Args)]
pub(crate) struct Build {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    compile: compile::Options,
    /// The folder whose `functions/` gets the release, the --root of a host; else the folder of the workspace.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Manifest(#[from] MakeError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("failed to print the result")]
    Print(#[from] serde_json::Error),
}

/// What a script reads.
#[derive(Debug, Serialize)]
struct Report<'a> {
    function: &'a str,
    folder: &'a Path,
    module: PathBuf,
    module_bytes: usize,
    outcome: Outcome,
}

impl Build {
    pub(crate) fn run(&self) -> Result<Exit, BuildError> {
        let project = Project::find(&self.selection)?;
        let (_, release) = make(&project, &self.compile, None)?;
        let functions = self.out.as_deref().unwrap_or(&project.root).join("functions");
        let outcome = publish(&release, &functions, Existing::Replace)?;
        let folder = functions.join(&release.name);
        let report = Report {
            function: &release.name,
            folder: &folder,
            module: folder.join(release.manifest.file()),
            module_bytes: release.module.len(),
            outcome,
        };
        match self.format {
            Format::Json => terminal::json(&report)?,
            Format::Human => print(&report),
        }
        Ok(Exit::Done)
    }
}

/// Compiles the package's module or program, and makes its manifest. Returns the file of it, too. `stopper` may end the
/// compilation.
pub(crate) fn make(
    project: &Project,
    options: &compile::Options,
    stopper: Option<&Stopper>,
) -> Result<(PathBuf, Release), BuildError> {
    let path = compile(project, options, stopper)?;
    let module = release::read_module(&path)?;
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let made = match project.program() {
        Some(_) => {
            // Else it is for another machine, whose host checks it.
            if options.architecture() == std::env::consts::ARCH {
                release::check_program(&path, &module)?;
            }
            manifest::make(&project.package, None, None)?
        }
        None => {
            let section = release::check_module(&path, &module, options.architecture())?;
            manifest::make(&project.package, Some(&file), section)?
        }
    };
    let name = fezz_manifest::names::full_name(&made.manifest.id, &made.manifest.version);
    Ok((path, Release { name, json: made.json, manifest: made.manifest, module }))
}

fn print(report: &Report<'_>) {
    let kibibytes = report.module_bytes.div_ceil(1024);
    terminal::status(report.outcome.verb(), &format!("{} ({kibibytes} KiB)", report.folder.display()));
}
