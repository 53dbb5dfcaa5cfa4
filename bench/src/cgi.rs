//! The CGI programs of `cgi/`, built for the run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum CgiError {
    /// The compiler can't be started.
    #[error("failed to start the C compiler")]
    Start(#[source] io::Error),
    /// It found no static libc, say.
    #[error("failed to build `bench/cgi/{source_file}` ({status}): {stderr}")]
    Build {
        /// In `bench/cgi/`.
        source_file: &'static str,
        /// How the compiler ended.
        status: ExitStatus,
        /// What it wrote on stderr.
        stderr: String,
    },
}

/// What the program answers to the header that all clients here send.
pub(crate) const EXPECTED: &str = "Hello, Ada, from C!";

/// Builds the program that answers; its file's name ends in `.cgi`.
///
/// # Errors
///
/// See [`CgiError`].
pub(crate) fn build_hello(cc: &Path, folder: &Path) -> Result<(), CgiError> {
    compile(cc, "hello.c", &folder.join("hello.cgi"), None)
}

/// Builds the program that runs another one under `bwrap`; returns its file.
///
/// # Errors
///
/// See [`CgiError`].
pub(crate) fn build_jailer(cc: &Path, folder: &Path, bwrap: &Path) -> Result<PathBuf, CgiError> {
    let program = folder.join("bwrap-cgi");
    let mut definition = OsString::from("-DBWRAP=\"");
    definition.push(bwrap);
    definition.push("\"");
    compile(cc, "bwrap.c", &program, Some(definition))?;
    Ok(program)
}

/// Statically: without a loader and libraries a process starts sooner, and a jail has to hold nothing else.
fn compile(
    cc: &Path,
    source_file: &'static str,
    program: &Path,
    definition: Option<OsString>,
) -> Result<(), CgiError> {
    const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cgi");
    let output = Command::new(cc)
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s"])
        .args(definition)
        .arg("-o")
        .arg(program)
        .arg(Path::new(SOURCES).join(source_file))
        .output()
        .map_err(CgiError::Start)?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(CgiError::Build { source_file, status: output.status, stderr })
}
