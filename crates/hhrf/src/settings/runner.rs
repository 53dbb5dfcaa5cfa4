//! Finds the runner, and whether it is a wrapper.

use super::defaults;
use super::error::SettingsError;
use super::jail_mode::JailMode;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// `inner` for a wrapper, whose work needn't and usually can't be repeated. A program named as the runner is no
/// wrapper.
pub(super) fn default_jail(runner: Option<&Path>) -> JailMode {
    match runner {
        Some(runner) if is_wrapper(runner) => defaults::JAIL_OF_WRAPPER,
        _ => defaults::JAIL,
    }
}

/// Whether a runner is taken for a wrapper around one: by its name.
pub fn is_wrapper(runner: &Path) -> bool {
    runner.file_name().is_some_and(|name| name != defaults::RUNNER)
}

/// The runner that was named, or `fezz-runner`. A bare name is looked for beside this program, then on PATH; anything with
/// a slash is a path. `None` if none was named and there is none.
pub(super) fn find_runner(named: Option<PathBuf>) -> Result<Option<PathBuf>, SettingsError> {
    let name = named.unwrap_or_else(|| defaults::RUNNER.into());
    let found = match name.file_name() {
        Some(bare) if bare == name.as_os_str() => beside_program(bare).or_else(|| on_path(bare)),
        _ => Some(name.clone()).filter(|path| is_executable(path)),
    };
    match found {
        Some(path) => absolute(&path).map(Some),
        None if name.as_os_str() == defaults::RUNNER => Ok(None),
        None => Err(SettingsError::BadRunner { path: name }),
    }
}

fn beside_program(name: &OsStr) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.with_file_name(name)).filter(|path| is_executable(path))
}

fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Processes are started in `/`, so paths must be absolute.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, SettingsError> {
    std::path::absolute(path)
        .map_err(|source| SettingsError::NoWorkingFolder { path: path.to_owned(), source })
}
