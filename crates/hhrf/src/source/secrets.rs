//! The folder of secrets, which the host alone reads.

use super::owned_file::{self, OwnedFileError};
use fezz_manifest::secret::{self, SECRET_BYTES_MAX};
use std::path::PathBuf;

/// Where the values of `secrets` lie, and the URLs of `resources`: a file each.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    folder: Option<PathBuf>,
}

/// Why a secret can't be read. Continues after the key that names it, and has nothing of its value.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// The host has no folder of secrets.
    #[error(
        "names the file `{file}`, but the host has no folder of secrets: set --secrets (HHRF_SECRETS), or `LoadCredential=` \
         in its systemd unit"
    )]
    NoFolder {
        /// The secret.
        file: String,
    },
    /// That folder is missing.
    #[error(
        "names the file `{file}`, but the folder of secrets `{}` (--secrets) doesn't exist: make it, or correct the setting",
        folder.display()
    )]
    MissingFolder {
        /// The secret.
        file: String,
        /// The setting.
        folder: PathBuf,
    },
    /// The file is missing, can't be trusted or can't be read.
    #[error("names {0}")]
    File(#[from] OwnedFileError),
    /// Its content is no text.
    #[error("names `{}`, which {cause}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: secret::SecretError,
    },
}

impl Secrets {
    /// Those in `folder`; `None`: there are none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The secret in the file of that name, which is one component of a path.
    pub(super) fn read(&self, file: &str) -> Result<String, SecretError> {
        let Some(folder) = &self.folder else { return Err(SecretError::NoFolder { file: file.to_owned() }) };
        let content = match owned_file::read_within(folder, file, SECRET_BYTES_MAX) {
            Err(OwnedFileError::Missing { path }) if path == *folder => {
                return Err(SecretError::MissingFolder { file: file.to_owned(), folder: path });
            }
            content => content?,
        };
        secret::value(content).map_err(|cause| SecretError::Content { path: folder.join(file), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_is_not_taken_for_a_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let missing = folder.path().join("secret");
        let of = |folder: PathBuf| Secrets::new(Some(folder)).read("token").unwrap_err().to_string();
        let sentence = format!("the folder of secrets `{}` (--secrets) doesn't exist", missing.display());
        assert!(of(missing.clone()).contains(&sentence), "{}", of(missing));
        let file = folder.path().to_owned();
        assert!(of(file.clone()).contains("/token`, which doesn't exist"), "{}", of(file));
    }
}
