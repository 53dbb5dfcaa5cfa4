//! `cargo fezz`, the author's command line. Cargo runs it as `cargo-fezz fezz ...`.
//!
//! 1. [`command_line`]: what may be asked for. [`exit`]: how it ends. [`terminal`]: what is printed, and where.
//!    [`report`]: findings in a table.
//! 2. [`project`]: the package, as cargo describes it. [`compile`] makes its module.
//! 3. [`manifest`]: `fezz.json`, of the module's section and Cargo.toml.
//! 4. [`installed`]: the built function that is meant. [`publish`] puts a release into a folder `functions/` in one step.
//! 5. [`inspect`] reads what a module needs, [`libraries`] what this machine has, and [`findings`] compares them.
//! 6. [`request`]: a request, made of flags. The crate `fezz_sandbox` has it served. [`outcome`]: what is printed of it. [`failures`] finds a recorded one, [`debugger`] runs it under gdb.
//! 7. `watch`: [`sources`] notices changes, [`served`] is the folder that a host serves, [`host`] runs it, [`curl`] tries it.
//!    [`builder`] builds, and [`session`] has what is done at each event.
//! 8. [`log_line`]: a line of a host's log, as a person reads it. [`follow`]: the log's file as it grows.
//! 9. [`template`]: the projects of `new`. [`commands`]: a file for each subcommand, all of the same shape.
//!
//! No code of a module runs in this process, ever: `invoke` has the runner load it, in its jail.

mod command_line;
mod exit;
mod report;
mod terminal;

mod compile;
mod project;

mod manifest;

mod failures;
mod installed;
mod publish;

mod template;

mod inspect;
mod libraries;

mod findings;

mod curl;
mod served;
mod sources;

mod follow;
mod log_line;

mod request;

mod debugger;
mod host;
mod outcome;

mod builder;
mod session;

mod commands;

use clap::Parser;
use command_line::CommandLine;
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command_line = CommandLine::parse_from(command_line::arguments(std::env::args_os()));
    let exit = command_line.run().unwrap_or_else(|error| {
        terminal::error(&fezz_wire::chain(error.as_ref()));
        Exit::Failed
    });
    exit.into()
}
