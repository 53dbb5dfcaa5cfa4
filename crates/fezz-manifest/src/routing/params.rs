//! The parameters in a path.

use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// Parameters as they stand in the path, still percent-encoded, in the path's order.
pub type Params = Vec<(String, String)>;

/// A parameter isn't text. The host answers 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path parameter `{name}` is not UTF-8 once percent-decoded")]
pub struct NotText {
    /// The parameter's name.
    pub name: String,
}

/// Parameters by name, percent-decoded.
///
/// # Errors
///
/// The first one that is not UTF-8 then.
pub fn decode(params: Params) -> Result<BTreeMap<String, String>, NotText> {
    let decoded = params.into_iter().map(|(name, value)| match percent_decode_str(&value).decode_utf8() {
        Ok(text) => Ok((name, text.into_owned())),
        Err(_) => Err(NotText { name }),
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_once_and_must_be_text() {
        let params = |value: &str| vec![("id".to_owned(), value.to_owned())];
        assert_eq!(decode(params("7%20%25x+")).unwrap()["id"], "7 %x+");
        let error = decode(params("%ff")).unwrap_err();
        assert_eq!(error.to_string(), "the path parameter `id` is not UTF-8 once percent-decoded");
    }
}
