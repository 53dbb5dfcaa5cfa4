//! What may be asked for: each subcommand with its options, which stand in its own file.

use crate::commands::{build, check, completions, deploy, doctor, invoke, logs, man, new, test, watch};
use crate::exit::Exit;
use clap::{CommandFactory, Parser, Subcommand};
use std::error::Error;
use std::ffi::OsString;

/// Write, build, check, try, watch and deploy functions of Fezz.
#[derive(Debug, Parser)]
#[command(name = "cargo-fezz", bin_name = "cargo fezz", version)]
#[command(
    after_help = "Exit status: 0 done; 1 failed; 2 wrong command line; 3 done, and the function has a fault."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Build(build::Build),
    Check(check::Check),
    Invoke(invoke::Invoke),
    Test(test::Test),
    Watch(watch::Watch),
    Logs(logs::Logs),
    Deploy(deploy::Deploy),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

impl CommandLine {
    /// Does what is asked for. The error is of the subcommand's own type; it is only printed.
    pub(crate) fn run(&self) -> Result<Exit, Box<dyn Error>> {
        Ok(match &self.command {
            Command::New(new) => new.run()?,
            Command::Build(build) => build.run()?,
            Command::Check(check) => check.run()?,
            Command::Invoke(invoke) => invoke.run()?,
            Command::Test(test) => test.run()?,
            Command::Watch(watch) => watch.run()?,
            Command::Logs(logs) => logs.run()?,
            Command::Deploy(deploy) => deploy.run()?,
            Command::Doctor(doctor) => doctor.run()?,
            Command::Completions(completions) => completions.run(Self::command()),
            Command::Man(man) => man.run(Self::command())?,
        })
    }
}

/// The arguments without the subcommand's own name, by which cargo calls it (The Cargo Book, "Custom subcommands"). So
/// `cargo-fezz build` is the same as `cargo fezz build`.
pub(crate) fn arguments(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments
        .enumerate()
        .filter(|(index, argument)| *index != 1 || argument != "fezz")
        .map(|(_, argument)| argument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn cargo_may_name_the_subcommand_or_leave_it_out() {
        let check = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            arguments(words).map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(check("cargo-fezz fezz new fezz"), "cargo-fezz new fezz");
        assert_eq!(check("cargo-fezz new fezz"), "cargo-fezz new fezz");
    }
}
