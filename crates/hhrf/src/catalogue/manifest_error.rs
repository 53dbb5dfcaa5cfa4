//! What can be wrong with a `fezz.json`: one sentence for each.

use super::manifest::{NAME_CHARS_MAX, VARIABLE_BYTES_MAX};
use crate::nearest::nearest;

/// What is wrong with a manifest. One sentence each, naming the key and the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON at all.
    #[error("line {line}, column {column} is not JSON: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// JSON, but no object.
    #[error("the manifest is no JSON object: write {{\"id\": ..., \"version\": ..., \"entry\": ...}}")]
    NotAnObject,
    /// A required key is absent.
    #[error("key `{key}` is missing: add it")]
    MissingKey {
        /// With a dot before each inner key.
        key: String,
    },
    /// A key that no manifest has.
    #[error("key `{key}` is unknown{}", nearest.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_else(|| format!(": remove it, or use one of {known}")))]
    UnknownKey {
        /// The key, with the path to it.
        key: String,
        /// The known key nearest to it, where one is near.
        nearest: Option<String>,
        /// All known keys there.
        known: String,
    },
    /// A key stands twice.
    #[error("key `{key}` stands twice: remove one")]
    DuplicateKey {
        /// The key, with the path to it.
        key: String,
    },
    /// A value has the wrong type.
    #[error("key `{key}` has the wrong type, {message}: write it as fezz.schema.json says")]
    WrongType {
        /// The key, with the path to it.
        key: String,
        /// What the parser says: what stands there and what it expected.
        message: String,
    },
    /// A name has characters or a length that it may not have.
    #[error(
        "key `{key}` is `{value}`: use letters, digits, `_`, `.` and `-`, beginning with a letter or digit, \
         up to {NAME_CHARS_MAX}"
    )]
    BadName {
        /// `id` or `version`.
        key: &'static str,
        /// What stands there.
        value: String,
    },
    /// The folder is another function's.
    #[error("the folder is named `{folder}`: rename it to `{expected}`, or change `id` and `version`")]
    FolderDisagrees {
        /// The folder's name.
        folder: String,
        /// `<id>@<version>`.
        expected: String,
    },
    /// A number is out of range.
    #[error("key `{key}` is {value}: it must be {allowed}")]
    OutOfRange {
        /// The key, with the path to it.
        key: &'static str,
        /// What stands there.
        value: u64,
        /// The range in words.
        allowed: &'static str,
    },
    /// Forked processes have their zygote's files.
    #[error(
        "key `limits.scratch_bytes` goes with `execution` `spawn` alone: forked processes would share the folder; leave one of \
         them out"
    )]
    ForkWithScratch,
    /// An environment variable can't be set.
    #[error(
        "key `env` holds the name `{name}`: use letters, digits and `_`, not beginning with a digit, up to {NAME_CHARS_MAX}"
    )]
    BadVariable {
        /// The variable's name.
        name: String,
    },
    /// A variable's value is too long.
    #[error("key `env.{name}` holds {bytes} bytes: it must be up to {VARIABLE_BYTES_MAX}")]
    LongVariable {
        /// The variable's name.
        name: String,
        /// The value's length.
        bytes: usize,
    },
    /// A variable's value can't be set.
    #[error("key `env.{name}` holds a NUL character: remove it")]
    NulInVariable {
        /// The variable's name.
        name: String,
    },
}

/// Turns serde's error into ours. serde names keys in its text alone, between backticks; the tests hold that text.
pub(super) fn explain(path: &str, error: &serde_json::Error) -> ManifestError {
    let text = error.to_string();
    let mut names = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let at = |last: String| match path.rsplit_once('.') {
        // The path ends in the key itself, or in the map that lacks it: both are the same to the reader.
        Some((parent, own)) if own == last => format!("{parent}.{last}"),
        _ if path == last || path == "." || path.is_empty() => last,
        _ => format!("{path}.{last}"),
    };
    if error.is_syntax() || error.is_eof() {
        return ManifestError::Syntax { line: error.line(), column: error.column(), message: text };
    }
    if text.starts_with("missing field") {
        return ManifestError::MissingKey { key: at(names.next().unwrap_or_default()) };
    }
    if text.starts_with("duplicate field") {
        return ManifestError::DuplicateKey { key: at(names.next().unwrap_or_default()) };
    }
    if text.starts_with("unknown field") {
        let unknown = names.next().unwrap_or_default();
        let known: Vec<String> = names.collect();
        return ManifestError::UnknownKey {
            nearest: nearest(&unknown, known.iter().map(String::as_str)).map(str::to_owned),
            key: at(unknown),
            known: known.join(", "),
        };
    }
    ManifestError::WrongType { key: path.to_owned(), message: text }
}
