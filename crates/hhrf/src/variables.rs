//! Environment variables that look like settings but are unknown. Unlike unknown keys of the file they are no error: a
//! container or a service manager may set variables for several programs.

use crate::command_line::CommandLine;
use clap::CommandFactory;
use fezz_manifest::nearest;

/// The prefix of all settings' variables, except the runner's.
const PREFIX: &str = "HHRF_";

/// A variable that no setting reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    name: String,
    nearest: Option<String>,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "the variable `{}` is unknown and has no effect: ", self.name)?;
        match &self.nearest {
            Some(nearest) => write!(text, "did you mean `{nearest}`?"),
            None => write!(text, "`hhrf --help` lists the known ones"),
        }
    }
}

/// The unknown variables of this process's environment, sorted by name.
pub fn unknown() -> Vec<Unknown> {
    let known = known();
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut unknown: Vec<String> =
        names.filter(|name| name.starts_with(PREFIX) && !known.contains(name)).collect();
    unknown.sort();
    unknown.into_iter().map(|name| Unknown { nearest: nearest_variable(&name, &known), name }).collect()
}

/// The variables that the command line's definition names.
fn known() -> Vec<String> {
    let command = CommandLine::command();
    let variables = command.get_arguments().filter_map(|argument| argument.get_env());
    variables.map(|name| name.to_string_lossy().into_owned()).collect()
}

/// Compared without the prefix, which all have in common.
fn nearest_variable(unknown: &str, known: &[String]) -> Option<String> {
    let own_part = |name: &str| name.split_once('_').map_or(name, |(_, part)| part).to_owned();
    let parts: Vec<String> = known.iter().map(|name| own_part(name)).collect();
    let found = nearest(&own_part(unknown), parts.iter().map(String::as_str))?;
    let index = parts.iter().position(|part| part == found)?;
    Some(known[index].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_variable_is_found_by_the_part_after_the_prefix() {
        let known = known();
        for (unknown, expected) in [
            ("HHRF_LISTN", Some("HHRF_LISTEN")),
            ("HHRF_BODY_TIMEOUT", Some("HHRF_BODY_TIMEOUT_MS")),
            ("HHRF_RUNNER", Some("FEZZ_RUNNER")),
            ("HHRF_ZZZ", None),
        ] {
            assert_eq!(nearest_variable(unknown, &known).as_deref(), expected, "{unknown}");
        }
    }
}
