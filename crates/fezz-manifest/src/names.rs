//! What functions, versions and environment variables may be called.

/// The longest name, in characters: of an id, a version, a variable. Long enough for a name, short enough for a log line
/// and a metric's label.
pub const NAME_CHARS_MAX: usize = 64;

/// The longest value of an environment variable, in bytes. The kernel takes 128 KiB for a variable with its name
/// (execve(2), `MAX_ARG_STRLEN`).
pub const VARIABLE_BYTES_MAX: usize = 100 * 1024;

/// Why a text can't be an id or a version. Each message continues after `id` or `version`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is no character.
    #[error("is empty")]
    Empty,
    /// It is over [`NAME_CHARS_MAX`].
    #[error("has {chars} characters, the limit is {NAME_CHARS_MAX}")]
    TooLong {
        /// Its length in characters.
        chars: usize,
    },
    /// It begins with `_`, `.` or `-`: a hidden folder, or what a command would take for a flag.
    #[error("doesn't begin with a letter or digit")]
    BadStart,
    /// It has a character beyond those that are allowed.
    #[error("holds {char:?}")]
    BadCharacter {
        /// The first of them.
        char: char,
    },
}

/// Checks an id or a version: ASCII letters, digits, `_`, `.` and `-`, beginning with a letter or digit. Such a name is
/// safe in a path, a URL, a log line and a metric's label.
///
/// # Errors
///
/// The first rule that it breaks.
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_CHARS_MAX {
        return Err(NameError::TooLong { chars: text.chars().count() });
    }
    if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Err(NameError::BadStart);
    }
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || "_.-".contains(char);
    match text.chars().find(|char| !is_allowed(*char)) {
        Some(char) => Err(NameError::BadCharacter { char }),
        None => Ok(()),
    }
}

/// `<id>@<version>`: the name of a function's folder, and of one version of it in logs.
pub fn full_name(id: &str, version: &str) -> String {
    format!("{id}@{version}")
}

/// Whether a text may name an environment variable (POSIX.1-2017, section 8.1, with lower case), within
/// [`NAME_CHARS_MAX`].
pub fn is_variable(text: &str) -> bool {
    text.len() <= NAME_CHARS_MAX
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_a_folder_can_be_called_by() {
        for name in ["A-b_c.9", "7", &"x".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for (name, expected) in [
            ("", "is empty"),
            (&*"x".repeat(65), "has 65 characters, the limit is 64"),
            ("..", "doesn't begin with a letter or digit"),
            ("a/b", "holds '/'"),
            ("zoë", "holds 'ë'"),
        ] {
            assert_eq!(check_name(name).unwrap_err().to_string(), expected, "{name}");
        }
    }

    #[test]
    fn a_variable_begins_with_no_digit_and_has_no_dash() {
        assert!(["LOG", "_x9", "a"].into_iter().all(is_variable));
        assert!(!["", "9A", "A-B", "A=B", "Ä", &"A".repeat(65)].into_iter().any(is_variable));
    }
}
