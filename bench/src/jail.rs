//! What confines a host's functions.

use crate::build::Build;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Who makes the jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jail {
    /// Nobody.
    Off,
    /// The runner.
    Strict,
    /// bubblewrap, by `jail/bwrap-fezz-runner`, and the runner what composes with it.
    Bwrap,
}

/// The wrapper as the repository has it.
const BWRAP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jail/bwrap-fezz-runner");

impl Jail {
    /// The value of the host's `--jail`.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Strict => "strict",
            Self::Bwrap => "inner",
        }
    }
}

/// Puts the wrapper into `folder` and a copy of the build's runner beside it, as they are installed; returns the
/// wrapper.
///
/// # Errors
///
/// A file can't be copied.
pub(crate) fn install_wrapper(build: &Build, folder: &Path) -> io::Result<PathBuf> {
    let wrapper = folder.join("bwrap-fezz-runner");
    fs::copy(BWRAP, &wrapper)?;
    fs::copy(build.runner(), folder.join("fezz-runner"))?;
    Ok(wrapper)
}
