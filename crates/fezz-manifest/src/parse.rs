//! Reads a manifest: from bytes to checked types.

use crate::check::check;
use crate::error::ManifestError;
use crate::explain::explain;
use crate::manifest::Manifest;
use serde::de::DeserializeOwned;

impl Manifest {
    /// Reads and checks a manifest. `json` is the file's content, `folder` the name of the folder that it lies in, which
    /// must be `<id>@<version>`.
    ///
    /// The routes are checked by [`RoutePattern::new`](crate::RoutePattern::new), and whether the module is there by the
    /// caller.
    ///
    /// # Errors
    ///
    /// The first thing wrong with it.
    pub fn parse(json: &[u8], folder: &str) -> Result<Self, ManifestError> {
        let manifest: Self = read(json)?;
        check(&manifest, folder)?;
        Ok(manifest)
    }
}

/// Reads one JSON object with nothing after it.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, ManifestError> {
    // serde would read an array, too, as the keys' values in their order.
    if json.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(ManifestError::NotAnObject);
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| explain(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| explain("", &error))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a manifest that has `key` beside what is required.
    fn error(key: &str) -> String {
        let json = format!(r#"{{{key}, "id": "f", "version": "v1", "entry": "libf.so"}}"#);
        Manifest::parse(json.as_bytes(), "f@v1").unwrap_err().to_string()
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_in_words_of_json() {
        const TIMEOUT: &str = "it must be a whole number, 1 to 3600000, an hour";
        for (key, expected) in [
            (r#""timeout_ms": "30s""#, format!("key `timeout_ms` is a string, {TIMEOUT}")),
            (
                r#""timeout_ms": "a, expected b at line 1""#,
                format!("key `timeout_ms` is a string, {TIMEOUT}"),
            ),
            (r#""timeout_ms": -1"#, format!("key `timeout_ms` is -1, {TIMEOUT}")),
            (r#""timeout_ms": 1.5"#, format!("key `timeout_ms` is 1.5, {TIMEOUT}")),
            (r#""timeout_ms": true"#, format!("key `timeout_ms` is true, {TIMEOUT}")),
            (r#""timeout_ms": []"#, format!("key `timeout_ms` is a list, {TIMEOUT}")),
            (r#""timeout_ms": {}"#, format!("key `timeout_ms` is an object, {TIMEOUT}")),
        ] {
            assert_eq!(error(key), expected, "{key}");
        }
    }

    #[test]
    fn no_message_has_a_word_of_rust() {
        for (key, expected) in [
            (r#""spare": 4294967296"#, "key `spare` is 4294967296, it must be a whole number, up to 1000"),
            (
                r#""limits": {"queue": null}"#,
                "key `limits.queue` is null, it must be a whole number, up to 1000000",
            ),
            (r#""limits": 5"#, "key `limits` is 5, it must be an object"),
            (r#""env": []"#, "key `env` is a list, it must be an object"),
            (r#""env": {"LOG": 1}"#, "key `env.LOG` is 1, it must be a string"),
            (r#""routes": {}"#, "key `routes` is an object, it must be a list"),
            (r#""routes": ["/a"]"#, "key `routes[0]` is a string, it must be an object"),
            (r#""routes": [{"path": 1}]"#, "key `routes[0].path` is 1, it must be a string"),
            (
                r#""routes": [{"path": "/a", "method": 1}]"#,
                "key `routes[0].method` is 1, it must be a method or a list of methods",
            ),
            (
                r#""network": {"connect": ["http"]}"#,
                "key `network.connect[0]` is a string, it must be a whole number up to 65535",
            ),
            (
                r#""execution": "wasm""#,
                "key `execution` is `wasm`, it must be one of `spawn`, `fork`, `rewind`, `worker`, `in-process`",
            ),
            (r#""execution": 5"#, "key `execution` is 5, it must be a string"),
            (r#""execution": {"spawn": 5}"#, "key `execution` is an object, it must be a string"),
        ] {
            assert_eq!(error(key), expected, "{key}");
        }
    }
}
