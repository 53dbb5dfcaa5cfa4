//! What can be wrong with a message: each variant names the key or the byte.

/// Why bytes are not a message of this wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside the message.
    #[error("message ends after {bytes} bytes, before its map is complete")]
    Truncated {
        /// How many bytes there were.
        bytes: usize,
    },
    /// The byte at `at` begins no CBOR item (RFC 8949, appendix C), or one that isn't allowed there.
    #[error("byte {at} begins no CBOR item that is allowed there")]
    Malformed {
        /// Offset of the byte.
        at: usize,
    },
    /// The message is a CBOR item other than a map.
    #[error("message is not a CBOR map")]
    NotAMap,
    /// Something follows the map.
    #[error("byte {at} follows the end of the message")]
    TrailingBytes {
        /// Offset of the first byte too many.
        at: usize,
    },
    /// Maps and arrays nest deeper than [`NESTING_MAX`](crate::NESTING_MAX).
    #[error("byte {at} opens a map or array more than {max} deep")]
    TooDeep {
        /// Offset of the byte that opens it.
        at: usize,
        /// The limit.
        max: usize,
    },
    /// A string comes in chunks.
    #[error("the string at byte {at} has an indefinite length: write its length first")]
    IndefiniteString {
        /// Offset of the string's first byte.
        at: usize,
    },
    /// A required key is absent.
    #[error("key `{key}` is missing")]
    MissingKey {
        /// The key; with its map, if that is an inner one: `meta.request_id`.
        key: &'static str,
    },
    /// A map has a key twice.
    #[error("key `{key}` is twice in one map, the second time at byte {at}")]
    DuplicateKey {
        /// The key, or its beginning.
        key: String,
        /// Offset of the second.
        at: usize,
    },
    /// A value, or a key, has the wrong type.
    #[error("byte {at} is not {expected}")]
    WrongType {
        /// The type that is required there: "text", "an unsigned integer".
        expected: &'static str,
        /// Offset of the value.
        at: usize,
    },
    /// A text is not UTF-8.
    #[error("the text at byte {at} is not UTF-8")]
    NotUtf8 {
        /// Offset of the text.
        at: usize,
    },
    /// More than [`PAIRS_MAX`](crate::PAIRS_MAX) headers, or keys of one map.
    #[error("`{key}` holds more than {max} pairs")]
    TooManyPairs {
        /// Whose: `headers`, `params`, `meta`, `error`, `env`, `the message`.
        key: &'static str,
        /// The limit.
        max: usize,
    },
    /// A number is out of the range that its key allows.
    #[error("`{key}` is {value}, outside {allowed}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The number.
        value: u64,
        /// The range in words.
        allowed: &'static str,
    },
}
