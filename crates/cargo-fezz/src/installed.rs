//! The function that is meant, among those that were built.

use crate::failures::Recorded;
use crate::project::fezz_folder;
use fezz_sandbox::release::Release;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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

/// The function of a recorded request: of those that `watch` and `build` have made, the one whose module is the newest; else
/// the only one in `functions/`.
pub(crate) fn of_request(recorded: &Recorded) -> Result<PathBuf, InstalledError> {
    let packages = std::fs::read_dir(fezz_folder()).into_iter().flatten().flatten();
    let watched = packages.map(|package| package.path().join(FUNCTIONS));
    let folders = watched.chain([FUNCTIONS.into()]).map(|functions| functions.join(&recorded.function));
    let built = folders.filter_map(|folder| Some((built(&folder)?, folder)));
    built.max().map_or_else(|| folder(None), |(_, folder)| Ok(folder))
}

/// When the module of a function's folder was built.
fn built(folder: &Path) -> Option<SystemTime> {
    let module = folder.join(Release::read_unchecked(folder).ok()?.manifest.file());
    std::fs::metadata(module).and_then(|file| file.modified()).ok()
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
