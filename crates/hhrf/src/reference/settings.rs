//! `docs/settings.md`: each flag as clap knows it.

use super::{check, table};
use crate::command_line::CommandLine;
use clap::{Arg, Command, CommandFactory};

#[test]
fn the_settings_page_is_made_from_the_command_line() {
    let command = CommandLine::command();
    check("docs/settings.md", "settings", &made(&command, |_| true));
    let check_jail = command.find_subcommand("check-jail").unwrap();
    let is_own = |flag: &Arg| command.get_arguments().all(|other| other.get_id() != flag.get_id());
    check("docs/settings.md", "check-jail", &made(check_jail, is_own));
}

fn made(command: &Command, is_wanted: impl Fn(&Arg) -> bool) -> String {
    let flags = command
        .get_arguments()
        .filter(|flag| !flag.is_hide_set() && !["help", "version"].contains(&flag.get_id().as_str()));
    table(
        ["flag", "variable", "unit or values", "default", "meaning"],
        flags.filter(|flag| is_wanted(flag)).map(row),
    )
}

fn row(flag: &Arg) -> [String; 5] {
    let code = |text: &str| format!("`{text}`");
    let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let (meaning, default) = split_default(&help);
    let default = match flag.get_default_values() {
        [] => default.to_owned(),
        values => values.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(", "),
    };
    let variable = flag.get_env().map(|name| code(&name.to_string_lossy()));
    [
        code(&format!("--{}", flag.get_long().unwrap())),
        variable.unwrap_or_default(),
        value(flag),
        default,
        meaning.to_owned(),
    ]
}

/// What stands in `[default: ...]` at the end of a help text, apart from the rest.
fn split_default(help: &str) -> (&str, &str) {
    let found =
        help.split_once("[default: ").and_then(|(meaning, rest)| Some((meaning, rest.strip_suffix(']')?)));
    let (meaning, default) = found.unwrap_or((help, ""));
    (meaning.trim_end(), default)
}

/// What may be given, or its unit.
fn value(flag: &Arg) -> String {
    let names = flag.get_possible_values();
    if !names.is_empty() {
        return names.iter().map(|value| format!("`{}`", value.get_name())).collect::<Vec<_>>().join(", ");
    }
    match flag.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()) {
        Some("MS") => "milliseconds".to_owned(),
        Some("IP:PORT") => "an address, `IP:PORT`".to_owned(),
        Some("N") => "a number".to_owned(),
        Some("BOOL") => "`true`, `false`".to_owned(),
        Some(name) => name.to_lowercase(),
        None => String::new(),
    }
}
