//! The function that is meant, among those that were built.

use crate::failures::Recorded;
use crate::project::fezz_folder;
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

/// The function of a recorded request: as `watch` has built it, else as `build` has, else the only one.
pub(crate) fn of_request(recorded: &Recorded) -> Result<PathBuf, InstalledError> {
    let folders = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let watched = folders(&fezz_folder()).map(|package| package.join(FUNCTIONS));
    let functions = watched.chain([FUNCTIONS.into()]).flat_map(|functions| folders(&functions));
    let mut own = functions.filter(|folder| {
        folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| recorded.is_of(name))
    });
    own.next().map_or_else(|| folder(None), Ok)
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
