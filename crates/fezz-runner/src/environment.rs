//! The function's environment: the variables of its manifest, and none of the host's or a wrapper's.

use crate::syscalls;
use std::ffi::OsStr;

/// The prefix of a variable's name on its way to the runner. Neither the loader nor a wrapper's shell acts upon such a
/// name, so that a manifest can't set `LD_PRELOAD` for them. A command line, in turn, every user can read.
pub(crate) const PREFIX: &str = "FEZZ_ENV_";

/// Why the environment can't be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// `--env` names it, and it isn't in this process's environment.
    #[error(
        "the variable `{PREFIX}{name}` is missing: let the wrapper pass on variables that begin with {PREFIX}"
    )]
    Missing {
        /// The variable's name in the manifest.
        name: String,
    },
    /// Its value isn't text.
    #[error("the variable `{PREFIX}{name}` is not UTF-8")]
    NotUtf8 {
        /// The variable's name in the manifest.
        name: String,
    },
}

/// Makes glibc look up names by TCP (resolv.conf(5)): Landlock restricts a function to its ports for TCP only, not for
/// datagrams.
const NAMES_BY_TCP: (&str, &str) = ("RES_OPTIONS", "use-vc");

/// Replaces the whole environment by the variables that `wanted` names, and returns them. For a function that has a
/// network, [`NAMES_BY_TCP`] is added.
///
/// # Errors
///
/// A variable that is missing, or isn't UTF-8.
pub(crate) fn replace(
    wanted: &[(String, Option<String>)],
    has_network: bool,
) -> Result<Vec<(String, String)>, EnvironmentError> {
    let mut env = resolve(wanted, |name| std::env::var_os(name))?;
    let (name, value) = NAMES_BY_TCP;
    if has_network {
        match env.iter_mut().find(|(known, _)| known == name) {
            Some((_, options)) => *options = format!("{options} {value}"),
            None => env.push((name.to_owned(), value.to_owned())),
        }
    }
    syscalls::replace_environment(&env);
    Ok(env)
}

fn resolve(
    wanted: &[(String, Option<String>)],
    inherited: impl Fn(&OsStr) -> Option<std::ffi::OsString>,
) -> Result<Vec<(String, String)>, EnvironmentError> {
    let value_of = |(name, value): &(String, Option<String>)| {
        let name = name.clone();
        if let Some(value) = value {
            return Ok((name, value.clone()));
        }
        match inherited(format!("{PREFIX}{name}").as_ref()).map(std::ffi::OsString::into_string) {
            Some(Ok(value)) => Ok((name, value)),
            Some(Err(_)) => Err(EnvironmentError::NotUtf8 { name }),
            None => Err(EnvironmentError::Missing { name }),
        }
    };
    wanted.iter().map(value_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_comes_from_the_command_line_or_under_the_prefix_and_never_by_its_own_name() {
        let inherited = |name: &OsStr| (name == "FEZZ_ENV_A").then(|| "1".into());
        let wanted = [("A".to_owned(), None), ("B".to_owned(), Some("2".to_owned()))];
        let expected = vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())];
        assert_eq!(resolve(&wanted, inherited), Ok(expected));

        let own_name = |name: &OsStr| (name == "A").then(|| "1".into());
        assert_eq!(resolve(&wanted, own_name), Err(EnvironmentError::Missing { name: "A".to_owned() }));
    }
}
