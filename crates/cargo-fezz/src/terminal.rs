//! What is printed: results to stdout, all else to stderr. Colour on a terminal only (anstream).

use anstyle::{AnsiColor, Color, Style};
use clap::ValueEnum;
use serde::Serialize;
use std::io::Write;

pub(crate) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
const BANNER: Style = Style::new()
    .fg_color(Some(Color::Ansi(AnsiColor::BrightWhite)))
    .bg_color(Some(Color::Ansi(AnsiColor::Red)))
    .bold();

/// For whom a result is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person.
    #[default]
    Human,
    /// One JSON object on stdout, for a script.
    Json,
}

/// Prints why the command failed.
pub(crate) fn error(text: &str) {
    anstream::eprintln!("{RED}error{RED:#}: {text}");
}

/// Prints what the author should know, though the command goes on.
pub(crate) fn warning(text: &str) {
    anstream::eprintln!("{YELLOW}warning{YELLOW:#}: {text}");
}

/// Prints a line that a person may want to follow, in cargo's form: a verb, then its object.
pub(crate) fn status(verb: &str, text: &str) {
    anstream::eprintln!("{GREEN}{verb:>12}{GREEN:#} {text}");
}

/// Prints what another program has written to its stderr. A reader that has gone away is no error.
pub(crate) fn foreign(text: &str) {
    writeln!(anstream::stderr().lock(), "{text}").ok();
}

/// Prints what must not be overlooked among other lines.
pub(crate) fn banner(text: &str) {
    anstream::eprintln!("{BANNER} {text} {BANNER:#}");
}

/// Prints a line of a result to stdout. A reader that has gone away is no error.
pub(crate) fn line(text: &str) {
    writeln!(anstream::stdout().lock(), "{text}").ok();
}

/// Prints a result for a script.
pub(crate) fn json(result: &impl Serialize) -> Result<(), serde_json::Error> {
    anstream::println!("{}", serde_json::to_string_pretty(result)?);
    Ok(())
}
