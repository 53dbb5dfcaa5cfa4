//! How modules are confined.

use serde::Deserialize;

/// How modules are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "program", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum JailMode {
    /// The runner confines itself, in all that the kernel offers
    Strict,
    /// A wrapper makes the namespaces and the root, the runner adds the rest
    Inner,
    /// Not at all: modules have all rights of the host's user
    Off,
}

impl JailMode {
    /// The word on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Inner => "inner",
            Self::Off => "off",
        }
    }
}
