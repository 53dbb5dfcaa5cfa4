//! What the file of a secret may hold.

/// The longest file, in bytes: far above a key or a chain of certificates, and below what one variable holds
/// ([`VARIABLE_BYTES_MAX`](crate::names::VARIABLE_BYTES_MAX)).
pub const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Why the content of a file can't be the value of a variable. Continues after the file's name, and has nothing of the
/// content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No text.
    #[error("is not UTF-8: write text, for bytes their base64")]
    NotUtf8,
    /// Nothing, as a file is for a moment while it is written.
    #[error("is empty: write the value to it, and replace the file by a rename")]
    Empty,
    /// No variable can hold it.
    #[error("holds a NUL character: remove it")]
    Nul,
}

/// The value in a secret's file: its text without one newline at the end, which editors and `echo` add.
///
/// # Errors
///
/// See [`SecretError`].
pub fn value(content: Vec<u8>) -> Result<String, SecretError> {
    let mut text = String::from_utf8(content).map_err(|_| SecretError::NotUtf8)?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    if text.contains('\0') {
        return Err(SecretError::Nul);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_no_part_of_a_secret() {
        for (content, expected) in
            [("a\n", "a"), ("a", "a"), ("a\n\n", "a\n"), ("\na", "\na"), ("\n\n", "\n")]
        {
            assert_eq!(value(content.into()).as_deref(), Ok(expected), "{content:?}");
        }
    }

    #[test]
    fn an_empty_secret_is_refused() {
        for content in ["", "\n"] {
            let sentence = value(content.into()).unwrap_err().to_string();
            assert_eq!(sentence, "is empty: write the value to it, and replace the file by a rename");
        }
    }

    #[test]
    fn what_no_variable_can_hold_is_refused() {
        assert_eq!(value(b"\xff".to_vec()), Err(SecretError::NotUtf8));
        assert_eq!(value(b"a\0b".to_vec()), Err(SecretError::Nul));
    }
}
