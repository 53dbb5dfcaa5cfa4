//! Which functions may run in the host's own process.

use fezz_manifest::names::check_name;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::str::FromStr;

/// The functions that may be loaded into the host's process, by their ids. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum InProcessFunctions {
    /// None.
    #[default]
    None,
    /// Those with these ids.
    Ids(BTreeSet<String>),
    /// Every one.
    All,
}

impl InProcessFunctions {
    /// Whether the function with that id may.
    pub fn allow(&self, id: &str) -> bool {
        match self {
            Self::None => false,
            Self::Ids(ids) => ids.contains(id),
            Self::All => true,
        }
    }
}

/// A text is no list of ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no id of a function: give ids without `@` and a version, with commas between them, or `*`"
)]
pub struct NoId {
    text: String,
}

impl FromStr for InProcessFunctions {
    type Err = NoId;

    /// Of ids with commas between them, or of `*`. An empty text allows none: so a shell unsets a variable for one command.
    fn from_str(text: &str) -> Result<Self, NoId> {
        let ids: BTreeSet<String> =
            text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        if let Some(text) = ids.iter().find(|id| *id != "*" && check_name(id).is_err()) {
            return Err(NoId { text: text.clone() });
        }
        Ok(match ids {
            ids if ids.contains("*") => Self::All,
            ids if ids.is_empty() => Self::None,
            ids => Self::Ids(ids),
        })
    }
}

impl TryFrom<String> for InProcessFunctions {
    type Error = NoId;

    fn try_from(text: String) -> Result<Self, NoId> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_allowed_by_name_or_all_at_once() {
        let allowed = |text: &str, id: &str| InProcessFunctions::from_str(text).unwrap().allow(id);
        assert!(allowed("*", "any") && allowed("a, b", "b") && allowed("a,*", "c"));
        assert!(!allowed("", "a") && !allowed("a,b", "c") && !allowed(",", ""));
        let refused = InProcessFunctions::from_str("a,b@v1").unwrap_err().to_string();
        assert!(refused.contains("`b@v1`") && refused.contains("without `@`"), "{refused}");
    }
}
