//! A folder of release binaries.

use crate::function::Function;
use crate::program::target;
use std::path::PathBuf;
use std::str::FromStr;

/// One version of host, runner and modules. A run can compare two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its name in the table; empty where there is only one.
    pub name: String,
    /// Holds `hhrf`, `fezz-runner` and the modules.
    pub folder: PathBuf,
}

/// An error in the build to measure.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A binary isn't built.
    #[error("`{}` is missing: build it with `{command}`", path.display())]
    Missing {
        /// The path where it should be.
        path: PathBuf,
        /// What builds it.
        command: &'static str,
    },
    /// The flag's value.
    #[error("`{0}` is not NAME=FOLDER")]
    Malformed(String),
    /// The folder can't be made absolute.
    #[error("`{}` is no folder", path.display())]
    NoFolder {
        /// As given.
        path: PathBuf,
    },
}

impl Build {
    /// The build in this folder; [`Build::default_build`] for none.
    pub fn at(folder: Option<PathBuf>) -> Self {
        folder.map_or_else(Self::default_build, |folder| Self { name: String::new(), folder })
    }

    /// What `cargo build --release` made, under `CARGO_TARGET_DIR` or `target`.
    pub fn default_build() -> Self {
        Self { name: String::new(), folder: target().join("release") }
    }

    /// The runner's program.
    pub fn runner(&self) -> PathBuf {
        self.folder.join("fezz-runner")
    }

    /// The host's program.
    pub fn host(&self) -> PathBuf {
        self.folder.join("hhrf")
    }

    /// A function's module.
    pub fn module(&self, function: Function) -> PathBuf {
        self.folder.join(function.entry())
    }

    /// Makes the folder absolute, since the runner is started in `/`, and checks that every file exists.
    ///
    /// # Errors
    ///
    /// A file is missing; the error names the command that builds it.
    pub fn check(self, functions: &[Function]) -> Result<Self, BuildError> {
        let folder = std::path::absolute(&self.folder);
        let folder = folder.map_err(|_| BuildError::NoFolder { path: self.folder })?;
        let build = Self { name: self.name, folder };
        let modules = functions.iter().map(|function| (build.module(*function), function.build_command()));
        let needed = [
            (build.runner(), "cargo build --release -p fezz-runner"),
            (build.host(), "cargo build --release -p hhrf"),
        ];
        match needed.into_iter().chain(modules).find(|(path, _)| !path.is_file()) {
            Some((path, command)) => Err(BuildError::Missing { path, command }),
            None => Ok(build),
        }
    }
}

impl FromStr for Build {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let (name, folder) = text.split_once('=').ok_or_else(|| BuildError::Malformed(text.to_owned()))?;
        Ok(Self { name: name.to_owned(), folder: folder.into() })
    }
}
