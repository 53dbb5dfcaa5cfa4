//! The gateway file: all functions of a service in one YAML file, each with the keys of a manifest.
//!
//! `yaml` reads the text, `places` is where each value stands, `function` makes a manifest of each function, `error` is what can be wrong.

mod error;
mod function;
mod places;
mod yaml;

pub use error::{FunctionCause, GatewayCause, GatewayError, Place, YamlError};
pub use function::GatewayFunction;

use crate::error::ManifestError;
use crate::explain::explain;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file that was read. A function that is wrong has no effect on the others.
#[derive(Debug)]
pub struct Gateway {
    /// The name of the whole, for people.
    pub service: Option<String>,
    /// In the order of their names.
    pub functions: Vec<GatewayFunction>,
}

/// The keys of the file itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    service: Option<String>,
    functions: Map<String, Value>,
}

impl Gateway {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// It is no YAML, or one of its own keys is wrong. What is wrong with a function stands in
    /// [`GatewayFunction::manifest`].
    pub fn parse(text: &str) -> Result<Self, GatewayError> {
        let (value, places) = yaml::read(text)?;
        let at = |path: &str, cause| GatewayError::new(places.of(path), GatewayCause::File(cause));
        if !value.is_object() {
            return Err(at("", ManifestError::NotAGateway));
        }
        let file: File = serde_path_to_error::deserialize(value).map_err(|error| {
            let cause = explain(&error.path().to_string(), error.inner());
            at(&function::key_of(&cause), cause)
        })?;
        let functions = file.functions.into_iter();
        let functions = functions.map(|(name, value)| GatewayFunction::new(&name, value, &places)).collect();
        Ok(Self { service: file.service, functions })
    }
}

#[cfg(test)]
mod tests;
