//! The JSON of a module's section `.fezz.manifest`, and which of it and `fezz.json` counts.

use crate::error::ManifestError;
use crate::manifest::{Manifest, TIMEOUT_MS_DEFAULT};
use crate::parse::read;
use crate::range::{self, OutOfRange};
use crate::route::{PatternError, Route, RoutePattern};
use serde::Deserialize;
use std::time::Duration;

/// What `#[fezz_function]` writes, with the keys of `fezz.json`; of these, the ones that the host reads. A key that is
/// unknown here is a newer macro's. The values are checked where they count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// From admission to the end of the process, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The paths that lead to the function.
    pub routes: Option<Vec<Route>>,
}

/// What is wrong with the routes or the timeout of a function, in one sentence that says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The section isn't what the macro writes.
    #[error("the module's section .fezz.manifest can't be read ({0}): build it with the current fezz")]
    Unreadable(ManifestError),
    /// A route of the manifest.
    #[error("key `routes[{index}]`: {source}")]
    Route {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        source: PatternError,
    },
    /// A route of the section.
    #[error("the module's metadata holds a bad route: {0}; or write `routes` into the manifest")]
    MetadataRoute(PatternError),
    /// The timeout of the section.
    #[error("the module's metadata holds a bad timeout: {0}; or write `timeout_ms` into the manifest")]
    MetadataTimeout(OutOfRange),
}

impl Metadata {
    /// Reads the section's bytes.
    ///
    /// # Errors
    ///
    /// They are no JSON object, or a key that the host reads has another type: [`MetadataError::Unreadable`].
    pub fn parse(json: &[u8]) -> Result<Self, MetadataError> {
        read(json).map_err(MetadataError::Unreadable)
    }
}

impl Manifest {
    /// The routes of the function: the manifest's, an empty list included; where it leaves them out, the metadata's.
    ///
    /// # Errors
    ///
    /// The first bad route of those that count.
    pub fn routes(&self, metadata: &Metadata) -> Result<Vec<RoutePattern>, MetadataError> {
        let Some(own) = &self.routes else {
            let routes = metadata.routes.iter().flatten();
            return routes
                .map(RoutePattern::new)
                .collect::<Result<_, _>>()
                .map_err(MetadataError::MetadataRoute);
        };
        let pattern = |(index, route)| {
            RoutePattern::new(route).map_err(|source| MetadataError::Route { index, source })
        };
        own.iter().enumerate().map(pattern).collect()
    }

    /// From admission to the end of the process: the manifest's time, else the metadata's, else
    /// [`TIMEOUT_MS_DEFAULT`].
    ///
    /// # Errors
    ///
    /// The metadata's time counts and is out of range.
    pub fn timeout(&self, metadata: &Metadata) -> Result<Duration, MetadataError> {
        let timeout_ms = self.timeout_ms.or(metadata.timeout_ms).unwrap_or(TIMEOUT_MS_DEFAULT);
        range::TIMEOUT_MS.check(timeout_ms).map_err(MetadataError::MetadataTimeout)?;
        Ok(Duration::from_millis(timeout_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(keys: &str) -> Manifest {
        let json = format!(r#"{{{keys}"id": "f", "version": "v1", "entry": "libf.so"}}"#);
        Manifest::parse(json.as_bytes(), "f@v1").unwrap()
    }

    fn paths(manifest: &Manifest, metadata: &Metadata) -> Vec<String> {
        manifest.routes(metadata).unwrap().into_iter().map(|route| route.path).collect()
    }

    #[test]
    fn the_manifest_counts_before_the_metadata() {
        let json =
            br#"{"id": "f", "timeout_ms": 2000, "routes": [{"path": "/of/:module"}], "a_newer_key": 1}"#;
        let metadata = Metadata::parse(json).unwrap();
        let (silent, none) = (manifest(""), manifest(r#""routes": [],"#));
        assert_eq!(paths(&silent, &metadata), ["/of/{module}"]);
        assert_eq!(paths(&none, &metadata), [""; 0]);
        assert_eq!(silent.timeout(&metadata), Ok(Duration::from_secs(2)));
        assert_eq!(manifest(r#""timeout_ms": 5,"#).timeout(&metadata), Ok(Duration::from_millis(5)));
        assert_eq!(silent.timeout(&Metadata::default()), Ok(Duration::from_secs(30)));
    }

    #[test]
    fn metadata_beyond_the_rules_is_refused_where_it_counts() {
        let metadata = Metadata::parse(br#"{"timeout_ms": 0, "routes": [{"path": "a"}]}"#).unwrap();
        let silent = manifest("");
        let route = silent.routes(&metadata).unwrap_err().to_string();
        assert!(route.contains("bad route: the path `a`") && route.contains("into the manifest"), "{route}");
        let timeout = silent.timeout(&metadata).unwrap_err().to_string();
        assert!(timeout.contains("key `timeout_ms` is 0: it must be 1 to 3600000"), "{timeout}");
        let complete = manifest(r#""timeout_ms": 5, "routes": [{"path": "/a"}],"#);
        assert!(complete.routes(&metadata).is_ok() && complete.timeout(&metadata).is_ok());
        let unreadable = Metadata::parse(br#"{"timeout_ms": "2s"}"#).unwrap_err().to_string();
        assert!(
            unreadable.contains("(key `timeout_ms` is a string, it must be a whole number"),
            "{unreadable}"
        );
    }
}
