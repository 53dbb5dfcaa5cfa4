//! What can be wrong with a gateway file: one sentence for each, with its place.

use crate::error::ManifestError;
use crate::metadata::MetadataError;
use std::borrow::Cow;

/// A place in a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {}", place.line, place.column, brief(&cause.to_string()))]
pub struct GatewayError {
    /// Where the value or its key begins.
    pub place: Place,
    /// What is wrong there.
    pub cause: Box<GatewayCause>,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayCause {
    /// It is no YAML that is taken.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A key of the file itself.
    #[error(transparent)]
    File(ManifestError),
    /// A key of one function.
    #[error("function `{function}`: {cause}")]
    Function {
        /// Its name in the file.
        function: String,
        /// What is wrong with it.
        cause: FunctionCause,
    },
}

/// What is wrong with a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FunctionCause {
    /// A key of its manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// One of its routes.
    #[error(transparent)]
    Route(#[from] MetadataError),
    /// Its name is its id.
    #[error("key `id` is `{id}`: leave it out, the function's name in this file is its id")]
    OtherId {
        /// The value.
        id: String,
    },
    /// There is no route that could have the domains.
    #[error("key `domains` applies to `routes`, which is missing: add `routes`")]
    DomainsWithoutRoutes,
    /// The module could lie elsewhere.
    #[error("key `entry` is `{entry}`: name a file below the folder of this file, without `..`")]
    NotBelow {
        /// The value.
        entry: String,
    },
}

/// Why a text isn't the YAML that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Not YAML at all.
    #[error("this is not YAML: {message}")]
    Syntax {
        /// As the parser words it.
        message: String,
    },
    /// `---` stands twice.
    #[error("a second document begins here: a gateway file is one document")]
    SecondDocument,
    /// `&name` or `*name`.
    #[error("anchors and aliases (`&name`, `*name`) are not taken: write the value out")]
    Anchor,
    /// `!name`.
    #[error("tags (`!name`) are not taken: remove it")]
    Tag,
    /// A key that is a map, a list or an alias.
    #[error("a key must be text")]
    NotATextKey,
    /// A key stands twice in one map.
    #[error("key `{key}` is given twice: remove one")]
    Twice {
        /// With the path to it.
        key: String,
    },
    /// A key that stands behind `?`.
    #[error("a key has {chars} characters, the limit is {chars_max}: no gateway file has such keys")]
    LongKey {
        /// How many it has.
        chars: usize,
        /// The limit.
        chars_max: usize,
    },
    /// Too many for their places to be kept.
    #[error(
        "more than {values_max} values are in this file: divide it, each host takes one, or use `functions/`"
    )]
    TooManyValues {
        /// The limit.
        values_max: usize,
    },
    /// Maps and lists in each other.
    #[error("more than {depth_max} maps and lists are inside each other: no gateway file has as many")]
    TooDeep {
        /// The limit.
        depth_max: usize,
    },
}

/// The most of a key or a value that a sentence shows: enough to find it at its place.
const QUOTED_CHARS_MAX: usize = 100;

/// The longest sentence: its quotes may themselves have the marks by which they are found.
const SENTENCE_CHARS_MAX: usize = 1000;

/// A sentence with what stands between its `` ` `` cut to [`QUOTED_CHARS_MAX`].
fn brief(sentence: &str) -> String {
    let pieces = sentence.split('`').enumerate();
    let pieces: Vec<_> = pieces
        .map(|(index, piece)| if index % 2 == 1 { cut(piece, QUOTED_CHARS_MAX) } else { piece.into() })
        .collect();
    cut(&pieces.join("`"), SENTENCE_CHARS_MAX).into_owned()
}

fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

impl GatewayError {
    pub(super) fn new(place: Place, cause: impl Into<GatewayCause>) -> Self {
        Self { place, cause: Box::new(cause.into()) }
    }
}
