//! The function that is meant, among those that were built.

use std::io;
use std::path::{Path, PathBuf};

/// Where `cargo fezz build` puts functions.
const FUNCTIONS: &str = "functions";

/// Why it isn't clear which function is meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstalledError {
    #[error(
        "failed to read the folder `functions`: run `cargo fezz build` first, or name a function by --from"
    )]
    NoFolder(#[source] io::Error),
    #[error("the folder `functions` holds no function: run `cargo fezz build` first, or name one by --from")]
    None,
    #[error("the folder `functions` holds several: choose one by --from: {}", found.join(", "))]
    Several { found: Vec<String> },
}

/// The folder `from`, else the only one in `functions/`.
pub(crate) fn folder(from: Option<&Path>) -> Result<PathBuf, InstalledError> {
    if let Some(from) = from {
        return Ok(from.to_owned());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(FUNCTIONS).map_err(InstalledError::NoFolder)? {
        let entry = entry.map_err(InstalledError::NoFolder)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    match found.as_slice() {
        [] => Err(InstalledError::None),
        [one] => Ok(one.clone()),
        several => {
            let found = several.iter().map(|folder| folder.display().to_string()).collect();
            Err(InstalledError::Several { found })
        }
    }
}
