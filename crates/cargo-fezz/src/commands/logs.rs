//! `cargo fezz logs`.

use crate::exit::Exit;
use crate::follow::{FollowError, Follower};
use crate::log_line::{LogLine, Names};
use crate::terminal::{self, Format};
use clap::Args;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::PathBuf;

/// Follow the log of a function, or of a whole host, in a readable form
///
/// Reads the JSON log of `hhrf --log-format json` from a file or from stdin:
/// `journalctl -o cat -fu hhrf | cargo fezz logs todos`. Times are UTC.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The function, `todos` or `todos@v1`; else all lines of the log.
    function: Option<String>,
    /// The log's file, which is followed like `tail -F`; else the log is read from stdin.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// With --file: how many lines to begin with.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10, requires = "file")]
    lines: usize,
    /// With --file: end at the end of the file.
    #[arg(long, requires = "file")]
    no_follow: bool,
    /// Only failures: warnings and errors of the host, responses of status 500 and above, events of the level ERROR.
    #[arg(long)]
    errors: bool,
    /// Only one request, by the beginning of its id (the response header `x-request-id`).
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// `json` passes the lines on as they are.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Whether it is known that the log is JSON, or that it isn't.
    #[arg(skip)]
    is_known: Cell<bool>,
}

/// Why a log can't be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    #[error(
        "there is no log: name its file by --file, or pipe it in: `journalctl -o cat -fu hhrf | cargo fezz logs`"
    )]
    NoLog,
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error("failed to read the log from stdin")]
    Stdin(#[source] io::Error),
    #[error("failed to print the log")]
    Print(#[source] io::Error),
}

impl Logs {
    pub(crate) fn run(&self) -> Result<Exit, LogsError> {
        let done = match &self.file {
            Some(path) => self.follow(&mut Follower::new(path)?),
            None if io::stdin().is_terminal() => Err(LogsError::NoLog),
            None => self.read(io::stdin().lock()),
        };
        match done {
            // Its reader has seen enough: `cargo fezz logs | head`.
            Err(LogsError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
            done => done.map(|()| Exit::Done),
        }
    }

    fn read(&self, log: impl io::Read) -> Result<(), LogsError> {
        let mut log = BufReader::new(log);
        let mut line = Vec::new();
        while log.read_until(b'\n', &mut line).map_err(LogsError::Stdin)? > 0 {
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
            if let Some(shown) = self.shown(&text) {
                print(&shown)?;
            }
            line.clear();
        }
        Ok(())
    }

    fn follow(&self, follower: &mut Follower) -> Result<(), LogsError> {
        let mut last = VecDeque::new();
        follower.read(|line| {
            last.extend(self.shown(line));
            if last.len() > self.lines {
                last.pop_front();
            }
        })?;
        last.iter().try_for_each(|line| print(line))?;
        if self.no_follow {
            return Ok(());
        }
        loop {
            follower.wait();
            let mut lines = Vec::new();
            follower.read(|line| lines.extend(self.shown(line)))?;
            lines.iter().try_for_each(|line| print(line))?;
        }
    }

    /// The line as it is printed, if it is one that is asked for.
    fn shown(&self, text: &str) -> Option<String> {
        let has_filter = self.function.is_some() || self.errors || self.request.is_some();
        let line = LogLine::parse(text);
        if !self.is_known.replace(true) && line.is_none() {
            terminal::warning("the log isn't JSON: start the host with `--log-format json`");
        }
        let Some(line) = line else {
            // Of the host before its log begins, or of something else in the same journal.
            return (!has_filter && self.format == Format::Human).then(|| terminal::escaped(text));
        };
        let is_shown = self.function.as_ref().is_none_or(|function| is_of(&line, function))
            && (!self.errors || line.is_error())
            && self.request.as_ref().is_none_or(|id| line.request_id().starts_with(id.as_str()));
        let names = if self.function.as_ref().is_some_and(|function| function.contains('@')) {
            Names::Hidden
        } else {
            Names::Shown
        };
        is_shown.then(|| match self.format {
            Format::Human => line.pretty(names),
            Format::Json => text.to_owned(),
        })
    }
}

/// Whether it is a line of `function`, which may be named with its version or without.
fn is_of(line: &LogLine, function: &str) -> bool {
    let own = line.function();
    own == function || own.split_once('@').is_some_and(|(id, _)| id == function)
}

fn print(line: &str) -> Result<(), LogsError> {
    writeln!(anstream::stdout().lock(), "{line}").map_err(LogsError::Print)
}
