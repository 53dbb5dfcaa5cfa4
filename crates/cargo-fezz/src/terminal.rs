//! What is printed: results to stdout, all else to stderr. Colour on a terminal only (anstream).
//!
//! A module, a manifest and a request may hold any text. What is printed of them goes through [`escaped`] or [`block`], so
//! that it neither acts upon the terminal nor looks like a line of this program.

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

/// The beginning of each further line of a message: no text of a function's looks like a line of this program.
const CONTINUED: &str = "\n  | ";

/// Characters that a terminal acts upon, or that turn the direction of the text (Unicode, annex 9), are escaped: the end of
/// a line, too.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if acts(char) { safe.extend(char.escape_default()) } else { safe.push(char) }
    }
    safe
}

/// The same for a text of several lines, which stay lines.
pub(crate) fn escaped_lines(text: &str) -> String {
    let lines = text.split('\n').map(|line| escaped(line.strip_suffix('\r').unwrap_or(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// The same for a message, whose further lines are marked.
pub(crate) fn block(text: &str) -> String {
    escaped_lines(text.trim_end()).replace('\n', CONTINUED).replace(" \n", "\n")
}

fn acts(char: char) -> bool {
    let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (char.is_control() && char != '\t')
}

/// Prints why the command failed.
pub(crate) fn error(text: &str) {
    anstream::eprintln!("{RED}error{RED:#}: {}", block(text));
}

/// Prints what the author should know, though the command goes on.
pub(crate) fn warning(text: &str) {
    anstream::eprintln!("{YELLOW}warning{YELLOW:#}: {}", block(text));
}

/// Prints a line that a person may want to follow, in cargo's form: a verb, then its object.
pub(crate) fn status(verb: &str, text: &str) {
    anstream::eprintln!("{GREEN}{verb:>12}{GREEN:#} {}", escaped(text));
}

/// Prints a line that another program has written to its stderr.
pub(crate) fn foreign(text: &str) {
    styled(&escaped(text));
}

/// Prints to stderr what was made safe, with its colours. A reader that has gone away is no error.
pub(crate) fn styled(text: &str) {
    writeln!(anstream::stderr().lock(), "{text}").ok();
}

/// Prints what must not be overlooked among other lines.
pub(crate) fn banner(text: &str) {
    anstream::eprintln!("{BANNER} {} {BANNER:#}", escaped(text));
}

/// Prints a line of a result to stdout, which was made safe. A reader that has gone away is no error.
pub(crate) fn line(text: &str) {
    writeln!(anstream::stdout().lock(), "{text}").ok();
}

/// Prints a result for a script.
pub(crate) fn json(result: &impl Serialize) -> Result<(), serde_json::Error> {
    anstream::println!("{}", escaped_json(&serde_json::to_string_pretty(result)?));
    Ok(())
}

/// What JSON leaves as it is, but a terminal doesn't: inside of strings alone, as JSON escapes the other control characters.
fn escaped_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for char in json.chars() {
        if char != '\n' && acts(char) {
            safe.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            safe.push(char);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_acts_upon_the_terminal_or_forges_a_line() {
        let check = |text: &str, expected: &str| assert_eq!(escaped(text), expected);
        check("caf\u{e9}\t\"\\", "caf\u{e9}\t\"\\");
        check("\u{1b}[2J\u{7}\u{7f}", "\\u{1b}[2J\\u{7}\\u{7f}");
        check("\u{9b}2J\u{1e}", "\\u{9b}2J\\u{1e}");
        check("\u{202a}\u{202e}\u{2066}\u{2069}", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}");
        check("a\nb\r", "a\\nb\\r");
        assert_eq!(escaped_lines("a\r\nb\rc\u{1b}\n"), "a\nb\\rc\\u{1b}\n");
        assert_eq!(block("left\n\nerror: x\u{1b}\n"), "left\n  |\n  | error: x\\u{1b}");
    }

    #[test]
    fn json_says_the_same_without_control_characters() {
        let text = "a\n\u{1b}\u{9b}\u{7f}\u{202e}\u{e9}";
        let json = escaped_json(&serde_json::to_string_pretty(&[text]).unwrap());
        assert!(!json.chars().any(|char| char != '\n' && acts(char)), "{json:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
    }
}
