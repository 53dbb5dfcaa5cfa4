//! `cargo fezz completions`.

use crate::command_line::CommandLine;
use crate::exit::Exit;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print a script that completes `cargo-fezz` in a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Exit {
        // By the program's own name: a shell asks cargo's script about `cargo fezz`.
        let mut command = CommandLine::command().bin_name("cargo-fezz");
        clap_complete::generate(self.shell, &mut command, "cargo-fezz", &mut std::io::stdout());
        Exit::Done
    }
}
