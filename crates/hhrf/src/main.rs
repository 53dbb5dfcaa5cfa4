//! The host as a program. What it does is in `program/`, and how it serves in the library.
#![forbid(unsafe_code)]

mod program;

use clap::Parser;
use hhrf::check_jail::victim;
use hhrf::command_line::{Command, CommandLine};
use hhrf::log;
use hhrf::server::Stopped;
use program::{check, parent, start};
use std::error::Error;
use std::process::ExitCode;

/// Of the program, not of the library: a program that embeds the host chooses its own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Not to the log, which may not be started yet.
            eprintln!("hhrf: {}", log::chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether it succeeded.
fn run(CommandLine { settings, end_with_stdin, command }: CommandLine) -> Result<bool, Box<dyn Error>> {
    if end_with_stdin {
        parent::end_with_stdin()?;
    }
    match command {
        None => Ok(start::start(settings)? == Stopped::Drained),
        Some(Command::CheckJail(check)) => Ok(check::start(*check)?),
        Some(Command::CheckJailVictim) => {
            victim::live();
            Ok(true)
        }
    }
}
