//! The files of a run in `bench/results/`, which the repository keeps.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");

/// A result file can't be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write `{}`", path.display())]
pub struct ResultsError {
    path: PathBuf,
    source: io::Error,
}

/// Writes a file, in place of that of the previous run.
///
/// # Errors
///
/// The folder can't be made, or the file not be written.
pub fn write(name: &str, content: &str) -> Result<(), ResultsError> {
    let path = Path::new(FOLDER).join(name);
    let written = fs::create_dir_all(FOLDER).and_then(|()| fs::write(&path, content));
    written.map_err(|source| ResultsError { path, source })
}
