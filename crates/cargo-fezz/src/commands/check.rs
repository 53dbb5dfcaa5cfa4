//! `cargo fezz check`.

use super::build::{self, BuildError};
use crate::compile;
use crate::exit::Exit;
use crate::findings::{self, Subject};
use crate::inspect::Glibc;
use crate::libraries;
use crate::project::{Project, ProjectError, Selection};
use crate::report::{self, Finding, Verdict};
use crate::terminal::{self, Format};
use clap::Args;
use fezz_manifest::Manifest;
use fezz_sandbox::release::{self, MANIFEST_FILE, Release, ReleaseError};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Check whether a host can serve a module: symbols, manifest, libraries, glibc, and what the jail refuses
///
/// No code of the module runs. Exit status 3 if there is an error, or with --deny-warnings a warning.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A module, or the folder of a function with its fezz.json; else the package is compiled and checked.
    #[arg(conflicts_with_all = ["package", "manifest_path"])]
    path: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    compile: compile::Options,
    /// The version of glibc on the host that is to serve it, for instance 2.36; else this machine's.
    #[arg(long, value_name = "VERSION")]
    glibc: Option<Glibc>,
    /// Count warnings as errors.
    #[arg(long)]
    deny_warnings: bool,
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error("failed to print the findings")]
    Print(#[from] serde_json::Error),
}

/// What a script reads.
#[derive(Debug, Serialize)]
struct Report<'a> {
    module: &'a Path,
    module_bytes: usize,
    verdict: Verdict,
    findings: &'a [Finding],
}

impl Check {
    pub(crate) fn run(&self) -> Result<Exit, CheckError> {
        let (path, module, manifest) = self.subject()?;
        let glibc = self.glibc.or_else(libraries::glibc);
        let findings = findings::check(&Subject { module: &module, manifest: manifest.as_ref(), glibc });
        let verdict = report::worst(&findings);
        match self.format {
            Format::Json => {
                let module_bytes = module.len();
                terminal::json(&Report { module: &path, module_bytes, verdict, findings: &findings })?;
            }
            Format::Human => {
                terminal::line(&terminal::escaped(&path.display().to_string()));
                report::print(&findings);
            }
        }
        let is_faulty = verdict == Verdict::Error || (verdict == Verdict::Warning && self.deny_warnings);
        Ok(if is_faulty { Exit::Faulty } else { Exit::Done })
    }

    /// The module's file, its bytes, and its manifest.
    fn subject(&self) -> Result<(PathBuf, Vec<u8>, Option<Manifest>), CheckError> {
        let of = |folder: &Path, release: Release| {
            (folder.join(release.manifest.file()), release.module, Some(release.manifest))
        };
        match &self.path {
            Some(path) if path.is_dir() => Ok(of(path, Release::read_unchecked(path)?)),
            Some(path) if path.file_name().is_some_and(|name| name == MANIFEST_FILE) => {
                let folder =
                    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
                Ok(of(folder, Release::read_unchecked(folder)?))
            }
            Some(path) => Ok((path.clone(), release::read_module(path)?, None)),
            None => {
                let project = Project::find(&self.selection)?;
                let (path, release) = build::make(&project, &self.compile, None)?;
                Ok((path, release.module, Some(release.manifest)))
            }
        }
    }
}
