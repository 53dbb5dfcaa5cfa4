//! A body that the function can't read: the client's error, not the function's.

/// Why a body can't be read. Returned or passed on with `?`, it answers 400 with its message, which contains only what
/// the client sent; [`Error`](crate::Error) says which error types keep that.
#[derive(Debug)]
#[non_exhaustive]
pub enum BodyError {
    /// The body isn't UTF-8.
    NotUtf8(std::str::Utf8Error),
    /// The body isn't JSON, or has another shape than asked for.
    #[cfg(feature = "json")]
    NotJson(serde_json::Error),
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotUtf8(_) => formatter.write_str("body is not UTF-8"),
            #[cfg(feature = "json")]
            Self::NotJson(error) if error.is_data() => formatter.write_str("body is JSON of another shape"),
            #[cfg(feature = "json")]
            Self::NotJson(_) => formatter.write_str("body is not JSON"),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotUtf8(error) => Some(error),
            #[cfg(feature = "json")]
            Self::NotJson(error) => Some(error),
        }
    }
}
