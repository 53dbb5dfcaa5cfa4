//! The command line of `hhrf`; its help is the manual.

use crate::catalogue::Execution;
use crate::check_jail::{Format, Selection};
use crate::settings::{Layer, parse_execution};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// HHRF, the Fezz host: answers HTTP requests by functions, native modules that each run in a process of their own.
///
/// It serves what lies in ROOT/functions/ID@VERSION/: a fezz.json and the module that it names. SIGHUP, or a change
/// there, swaps the new set in. SIGTERM drains: /_ready answers 503 at once, then no new connection, then requests in flight are
/// finished or meet their deadline, then exit 0. A second SIGTERM, a second or more after the first, ends at once.
///
/// GET /_health, /_ready and /_metrics show operators its state.
#[derive(Debug, Parser)]
#[command(name = "hhrf", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// The settings of a host that serves.
    #[command(flatten)]
    pub settings: Layer,
    /// End at the end of stdin as at SIGTERM: for a program that holds the other end of a pipe, as `cargo fezz watch`
    #[arg(long, hide = true)]
    pub end_with_stdin: bool,
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does beside serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try what a jail must hold, by real attempts to escape through the configured runner, and print what came of each
    ///
    /// Under each executor, for a manifest may choose either. It takes the flags and variables of the host, so that what
    /// is checked is what serves; but it serves a root of its own, on a port of its own, to itself alone. Below TMPDIR it needs a folder from which modules can be loaded.
    ///
    /// No attempt does lasting harm where it works, to root either: it can be run with no jail at all, to see that it
    /// fails.
    ///
    /// Exit status: 0 if every attempt that could be made was held; 1 if one worked or ended in a way that tells
    /// nothing, or if the check itself couldn't be run.
    CheckJail(Box<CheckJail>),

    /// Sleep until stdin ends: what check-jail aims at
    #[command(hide = true)]
    CheckJailVictim,
}

/// The flags of `check-jail`.
#[derive(Debug, Args)]
pub struct CheckJail {
    /// A table, or one JSON object with the same
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,

    /// The module of the attempts [default: libfezz_attempts.so beside this program, else in ../lib/fezz]
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,

    /// Only the attempts of one group, as the table names them
    #[arg(long, value_name = "GROUP")]
    pub only: Option<String>,

    /// Only one attempt
    #[arg(long, value_name = "ID", conflicts_with = "only")]
    pub attempt: Option<String>,

    /// Only under one executor, whatever --execution says [default: under each]
    #[arg(long, value_parser = parse_execution(&Execution::JAILED))]
    pub executor: Option<Execution>,

    /// The host's settings.
    #[command(flatten)]
    pub settings: Layer,
}

impl CheckJail {
    /// Which attempts are asked for.
    pub fn selection(&self) -> Selection {
        Selection { group: self.only.clone(), attempt: self.attempt.clone(), executor: self.executor }
    }
}
