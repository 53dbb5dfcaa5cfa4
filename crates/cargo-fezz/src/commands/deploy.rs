//! `cargo fezz deploy`.

use crate::exit::Exit;
use crate::installed::{self, InstalledError};
use crate::publish::{Existing, Outcome, PublishError, publish};
use crate::terminal::{self, Format};
use clap::Args;
use fezz_sandbox::release::{Release, ReleaseError};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Copy a built function into the `functions/` of another folder, the --root of a host
///
/// The copy appears there in one step, when all of it is on the disk. The same release is left alone.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The folder whose `functions/` gets the release.
    folder: PathBuf,
    /// The built function, for instance functions/hello@v1; else the only one in `functions/`.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Replace another release of the same version. A new version is better: both can be served, and the old one can come
    /// back.
    #[arg(long)]
    force: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Why nothing was deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    #[error(transparent)]
    Installed(#[from] InstalledError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error("there is no folder `{}`: make it, or name the --root of the host", folder.display())]
    NoFolder { folder: PathBuf },
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
    outcome: Outcome,
}

impl Deploy {
    pub(crate) fn run(&self) -> Result<Exit, DeployError> {
        let release = Release::read(&installed::folder(self.from.as_deref())?)?;
        // A misspelt folder isn't made: no host would serve it.
        if !self.folder.is_dir() {
            return Err(DeployError::NoFolder { folder: self.folder.clone() });
        }
        let functions = self.folder.join("functions");
        let existing = if self.force { Existing::Replace } else { Existing::Keep };
        let outcome = publish(&release, &functions, existing)?;
        let folder = functions.join(&release.name);
        match self.format {
            Format::Json => terminal::json(&Report { function: &release.name, folder: &folder, outcome })?,
            Format::Human => terminal::status(outcome.verb(), &folder.display().to_string()),
        }
        Ok(Exit::Done)
    }
}
