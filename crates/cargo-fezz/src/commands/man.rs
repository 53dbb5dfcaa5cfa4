//! `cargo fezz man`.

use crate::exit::Exit;
use clap::{Args, Command};
use std::io;
use std::path::{Path, PathBuf};

/// Write the man pages: `cargo-fezz.1` and one for each subcommand
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write them to, `man1` of a folder that man(1) searches.
    folder: PathBuf,
}

/// The man pages can't be written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write man pages to `{}`: name a folder that you may write to", folder.display())]
pub(crate) struct ManError {
    folder: PathBuf,
    source: io::Error,
}

impl Man {
    /// Of `program`, the whole command line.
    pub(crate) fn run(&self, program: Command) -> Result<Exit, ManError> {
        write(&self.folder, program).map_err(|source| ManError { folder: self.folder.clone(), source })?;
        Ok(Exit::Done)
    }
}

fn write(folder: &Path, program: Command) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    // By the program's own name, by which man(1) finds `cargo fezz build`, too: git(1) and cargo(1) do the same.
    clap_mangen::generate_to(program.bin_name("cargo-fezz"), folder)
}
