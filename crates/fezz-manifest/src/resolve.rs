//! Gives a function the values of its secrets and resources, which are no part of its manifest's text.

use crate::manifest::Manifest;
use crate::resource::{self, ResourceError};

/// Why a function can't have its secrets and resources.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError<E> {
    /// A secret can't be read.
    #[error("key `{key}` {cause}")]
    Secret {
        /// With the variable or the resource.
        key: String,
        /// Why. Continues after the key.
        cause: E,
    },
    /// A resource's URL, which stands in the manifest itself, leads to no port. [`Manifest::parse`] refuses it before.
    #[error("key `{key}` {cause}")]
    Url {
        /// With the resource.
        key: String,
        /// What is wrong with it.
        cause: ResourceError,
    },
    /// A resource's URL, which stands in the file of a secret, leads to no port.
    #[error("key `{key}` names the secret `{file}`, which {cause}")]
    Resource {
        /// With the resource.
        key: String,
        /// The secret.
        file: String,
        /// What is wrong with the URL.
        cause: ResourceError,
    },
}

impl Manifest {
    /// The same with nothing left to resolve: `env` has the values of secrets and the URLs of resources,
    /// `network.connect` their ports, and `secrets` and `resources` are empty. `secret` reads the secret of a file's name; what
    /// it can't read ends this.
    ///
    /// # Errors
    ///
    /// See [`ResolveError`].
    pub fn resolve<E>(
        mut self,
        mut secret: impl FnMut(&str) -> Result<String, E>,
    ) -> Result<Self, ResolveError<E>> {
        let failed = |key: String| move |cause| ResolveError::Secret { key, cause };
        for (name, file) in std::mem::take(&mut self.secrets) {
            let value = secret(&file).map_err(failed(format!("secrets.{name}")))?;
            self.env.set(&name, &value);
        }
        for (name, value) in std::mem::take(&mut self.resources) {
            let key = format!("resources.{name}");
            let url = match value.secret() {
                Some(file) => secret(file).map_err(failed(key.clone()))?,
                None => value.text().to_owned(),
            };
            let port = resource::port(&url).map_err(|cause| match value.secret() {
                Some(file) => ResolveError::Resource { key, file: file.to_owned(), cause },
                None => ResolveError::Url { key, cause },
            })?;
            self.env.set(&resource::variable(&name), &url);
            if !self.network.connect.contains(&port) {
                self.network.connect.push(port);
            }
        }
        Ok(self)
    }

    /// Whether all secrets and resources have their values.
    pub fn is_resolved(&self) -> bool {
        self.secrets.is_empty() && self.resources.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(keys: &str) -> Result<Manifest, String> {
        let json = format!(r#"{{{keys}, "id": "f", "version": "v1", "entry": "libf.so"}}"#);
        let manifest = Manifest::parse(json.as_bytes(), "f@v1").map_err(|error| error.to_string())?;
        let secret = |file: &str| match file {
            "db-url" => Ok("postgres://u:hunter2@db:6000/items".to_owned()),
            "key" => Ok("hunter2".to_owned()),
            _ => Err("is missing"),
        };
        manifest.resolve(secret).map_err(|error| error.to_string())
    }

    #[test]
    fn a_function_gets_its_secrets_and_resources_as_variables_and_the_ports() {
        let resolved = resolve(
            r#""secrets": {"KEY": "key"}, "network": {"connect": [443, 6379]},
               "resources": {"postgres": "secret:db-url", "redis": "redis://cache"}"#,
        );
        let resolved = resolved.unwrap();
        let env: Vec<_> = resolved.env.iter().collect();
        let expected = [
            ("FEZZ_RESOURCE_POSTGRES", "postgres://u:hunter2@db:6000/items"),
            ("FEZZ_RESOURCE_REDIS", "redis://cache"),
            ("KEY", "hunter2"),
        ];
        assert_eq!(env, expected);
        assert_eq!(resolved.network.connect, [443, 6379, 6000]);
        assert!(resolved.is_resolved() && !format!("{resolved:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_be_resolved_is_named_without_its_value() {
        for (keys, expected) in [
            (r#""secrets": {"KEY": "gone"}"#, "key `secrets.KEY` is missing"),
            (r#""resources": {"redis": "secret:gone"}"#, "key `resources.redis` is missing"),
            (
                r#""resources": {"redis": "secret:key"}"#,
                "key `resources.redis` names the secret `key`, which is no URL",
            ),
        ] {
            let sentence = resolve(keys).unwrap_err();
            assert!(sentence.starts_with(expected) && !sentence.contains("hunter2"), "{keys}: {sentence}");
        }
    }
}
