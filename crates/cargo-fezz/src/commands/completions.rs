//! `cargo fezz completions`.

use crate::exit::Exit;
use clap::{Args, Command};
use clap_complete::Shell;

/// Print a script that completes `cargo-fezz` in a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Of `program`, the whole command line.
    pub(crate) fn run(&self, program: Command) -> Exit {
        // By the program's own name: a shell asks cargo's script about `cargo fezz`.
        let mut program = program.bin_name("cargo-fezz");
        clap_complete::generate(self.shell, &mut program, "cargo-fezz", &mut std::io::stdout());
        Exit::Done
    }
}
