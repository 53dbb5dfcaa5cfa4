//! Turns serde's errors into sentences for the author of a manifest, who knows JSON and no Rust.
//!
//! serde names keys and types in its text alone; the tests hold that text.

use crate::error::ManifestError;
use crate::nearest::nearest;
use crate::range::Range;

/// What `error` says of the value at `path`, which has a dot before each inner key.
pub(crate) fn explain(path: &str, error: &serde_json::Error) -> ManifestError {
    let text = error.to_string();
    if error.is_syntax() || error.is_eof() {
        return ManifestError::Syntax { line: error.line(), column: error.column(), message: text };
    }
    let mut names = text.split('`').skip(1).step_by(2).map(str::to_owned);
    if text.starts_with("missing field") {
        return ManifestError::MissingKey { key: key_at(path, names.next().unwrap_or_default()) };
    }
    if text.starts_with("duplicate field") {
        return ManifestError::DuplicateKey { key: key_at(path, names.next().unwrap_or_default()) };
    }
    if text.starts_with("unknown field") {
        let unknown = names.next().unwrap_or_default();
        let known: Vec<String> = names.collect();
        return ManifestError::UnknownKey {
            nearest: nearest(&unknown, known.iter().map(String::as_str)).map(str::to_owned),
            key: key_at(path, unknown),
            known: known.join(", "),
        };
    }
    wrong_type(path, &text)
}

/// The key `last` in the map at `path`. Where serde's path ends in the key itself, it isn't repeated.
fn key_at(path: &str, last: String) -> String {
    match path.rsplit_once('.') {
        Some((parent, own)) if own == last => format!("{parent}.{last}"),
        _ if path == last || path == "." || path.is_empty() => last,
        _ => format!("{path}.{last}"),
    }
}

/// serde's form is "invalid type: <found>, expected <expected> at line 1 column 2".
fn wrong_type(path: &str, text: &str) -> ManifestError {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    // The last one: before it, there may be a string of the manifest's.
    let (found, expected) = text.rsplit_once(", expected ").unwrap_or((text, "as fezz.schema.json says"));
    ManifestError::WrongType {
        key: path.to_owned(),
        found: found_words(found),
        expected: expected_words(path, expected),
    }
}

fn found_words(found: &str) -> String {
    let (_, value) = found.split_once(": ").unwrap_or(("", found));
    let quoted = value.split('`').nth(1);
    match value {
        _ if value.starts_with("string ") => "a string".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        _ if found.starts_with("invalid length 0") => "an empty list".to_owned(),
        _ if found.starts_with("unknown variant ") => found.trim_start_matches("unknown variant ").to_owned(),
        // A number or `true` with its type before it; `null` without one.
        _ => quoted.unwrap_or(value).to_owned(),
    }
}

fn expected_words(path: &str, expected: &str) -> String {
    match expected {
        "u64" | "u32" | "u16" => whole_number(path, expected),
        "a map" => "an object".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ if expected.starts_with("struct ") => "an object".to_owned(),
        words => words.to_owned(),
    }
}

/// With the range of the key, or, for an element of a list, that of its type.
fn whole_number(path: &str, rust_type: &str) -> String {
    match (Range::of(path), rust_type) {
        (Some(range), _) => format!("a whole number, {}", range.allowed),
        (None, "u16") => format!("a whole number up to {}", u16::MAX),
        (None, "u32") => format!("a whole number up to {}", u32::MAX),
        (None, _) => "a whole number".to_owned(),
    }
}
