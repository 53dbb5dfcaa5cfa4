//! The secrets of a function in development: files in a folder of its author's.

use fezz_manifest::secret::{self, SECRET_BYTES_MAX};
use std::io;
use std::path::{Path, PathBuf};

/// Why a secret can't be read. Continues after the key that names it, and has nothing of its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No folder was given.
    #[error(
        "names the secret `{file}`, and there is no folder of secrets: name one by --secrets (HHRF_SECRETS), with a file `{file}`; \
         a test may set the variable or the resource itself"
    )]
    NoFolder {
        /// The secret.
        file: String,
    },
    /// The file can't be read.
    #[error("names the secret `{}`, which can't be read ({source}): write the value into that file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than a host reads.
    #[error("names the secret `{}`, which is {bytes} bytes: the limit is {SECRET_BYTES_MAX}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Its content is no text.
    #[error("names the secret `{}`, which {cause}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: secret::SecretError,
    },
}

/// Reads the secret in `file`, one component of a path. Who else may read or change it is not checked: it is the author's
/// own folder, with values for development.
pub(crate) fn read(folder: Option<&Path>, file: &str) -> Result<String, SecretError> {
    let folder = folder.ok_or_else(|| SecretError::NoFolder { file: file.to_owned() })?;
    let path = folder.join(file);
    let content = match std::fs::read(&path) {
        Ok(content) => content,
        Err(source) => return Err(SecretError::Unreadable { path, source }),
    };
    if content.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::TooLarge { path, bytes: content.len() as u64 });
    }
    secret::value(content).map_err(|cause| SecretError::Content { path, cause })
}
