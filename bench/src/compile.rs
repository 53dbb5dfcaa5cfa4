//! The C programs and modules of `c/`, built for the run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// What a source file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// A static program starts faster, and its jail needs no loader and no libraries.
    StaticProgram,
    /// A dynamic program, which loads a module itself.
    Program,
    /// A module for the host.
    Module,
}

/// A program or module can't be built.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler can't be started.
    #[error("failed to start the C compiler")]
    Start(#[source] io::Error),
    /// The compiler failed, for instance without a static libc.
    #[error("failed to build `bench/c/{source_file}` ({status}): {stderr}")]
    Build {
        /// In `bench/c/`.
        source_file: &'static str,
        /// How the compiler ended.
        status: ExitStatus,
        /// What it wrote on stderr.
        stderr: String,
    },
}

/// Builds a file of `c/` into `output`, with the definitions `NAME=VALUE`.
///
/// # Errors
///
/// See [`CompileError`].
pub(crate) fn compile(
    cc: &Path,
    source_file: &'static str,
    product: Product,
    output: PathBuf,
    definitions: &[OsString],
) -> Result<PathBuf, CompileError> {
    const BENCH: &str = env!("CARGO_MANIFEST_DIR");
    let done = Command::new(cc)
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-s"])
        .args(product.flags())
        .arg("-I")
        .arg(Path::new(BENCH).join("../crates/fezz-wire/include"))
        .args(definitions.iter().flat_map(|definition| [OsString::from("-D"), definition.clone()]))
        .arg("-o")
        .arg(&output)
        .arg(Path::new(BENCH).join("c").join(source_file))
        .output()
        .map_err(CompileError::Start)?;
    if done.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&done.stderr).trim_end().to_owned();
    Err(CompileError::Build { source_file, status: done.status, stderr })
}

impl Product {
    /// Full RELRO, as the repository's modules and programs have.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::StaticProgram => &["-static"],
            Self::Program => &["-Wl,-z,relro,-z,now"],
            Self::Module => &["-fPIC", "-shared", "-Wl,-z,relro,-z,now"],
        }
    }
}
