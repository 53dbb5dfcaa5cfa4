//! Which functions may run in the host's own process.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::str::FromStr;

/// The functions that may be loaded into the host's process, by their ids. By default none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
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

impl FromStr for InProcessFunctions {
    type Err = Infallible;

    /// Of ids with commas between them, or of `*`. An empty text allows none: so a shell unsets a variable for one command.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let ids: BTreeSet<String> =
            text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        Ok(match ids {
            ids if ids.contains("*") => Self::All,
            ids if ids.is_empty() => Self::None,
            ids => Self::Ids(ids),
        })
    }
}

impl From<String> for InProcessFunctions {
    fn from(text: String) -> Self {
        let Ok(functions) = text.parse();
        functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_allowed_by_name_or_all_at_once() {
        let allowed = |text: &str, id: &str| InProcessFunctions::from(text.to_owned()).allow(id);
        assert!(allowed("*", "any") && allowed("a, b", "b") && allowed("a,*", "c"));
        assert!(!allowed("", "a") && !allowed("a,b", "c") && !allowed(",", ""));
    }
}
