//! Requests that a host has recorded because they failed: `<function>@<version>-<request id>.cbor`, a message each.

use fezz_manifest::names::full_name;
use fezz_wire::FezzWireRequest;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A recorded request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) message: Vec<u8>,
    /// `<id>@<version>` of the function that it was sent to.
    pub(crate) function: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FailuresError {
    #[error(
        "failed to read the folder `{}`: name the one of the host's `--record-failures` by --failures",
        folder.display()
    )]
    Unreadable { folder: PathBuf, source: io::Error },
    #[error("the folder `{}` holds no recorded request{}", folder.display(), match id {
        Some(id) => format!(" whose id begins with `{id}`"),
        None => String::new(),
    })]
    None { folder: PathBuf, id: Option<String> },
}

/// The newest request in `folder`; with `id`, of those whose id begins with it.
pub(crate) fn newest(folder: &Path, id: Option<&str>) -> Result<Recorded, FailuresError> {
    let unreadable = |source| FailuresError::Unreadable { folder: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // One that was removed meanwhile isn't there.
        if let Ok(written) = entry.metadata().and_then(|file| file.modified())
            && entry.path().extension().is_some_and(|extension| extension == "cbor")
        {
            files.push((written, entry.path()));
        }
    }
    files.sort();
    let found = files.into_iter().rev().find_map(|(_, path)| read(path, id.unwrap_or_default()));
    found.ok_or_else(|| FailuresError::None { folder: folder.to_owned(), id: id.map(str::to_owned) })
}

/// The request of a file, if it is one whose id begins with `id`. The file's name doesn't say where its id begins: ids of
/// clients and versions may hold any of its characters.
fn read(path: PathBuf, id: &str) -> Option<Recorded> {
    let message = fs::read(&path).ok()?;
    let meta = FezzWireRequest::decode(&message).ok()?.meta;
    let is_asked_for = meta.request_id.starts_with(id);
    let function = full_name(meta.function, meta.version);
    is_asked_for.then_some(Recorded { path, message, function })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_wire::Meta;
    use std::time::{Duration, SystemTime};

    fn message(function: &str, version: &str, request_id: &str) -> Vec<u8> {
        let (client_ip, original_uri, deadline_ms) = (None, None, 1000);
        let meta = Meta { request_id, function, version, deadline_ms, client_ip, original_uri };
        let (headers, params) = (Vec::new(), std::collections::BTreeMap::new());
        let (authority, scheme) = (None, None);
        FezzWireRequest { method: "GET", uri: "/", authority, scheme, headers, params, body: b"", meta }
            .encode()
    }

    #[test]
    fn the_newest_request_is_found_or_the_one_of_an_id() {
        let folder = tempfile::tempdir().unwrap();
        let none = |id| newest(folder.path(), id).unwrap_err().to_string();
        assert!(none(None).ends_with("holds no recorded request"));
        let files = [
            ("nonsense@v1-abc.cbor", b"nonsense".to_vec()),
            ("f@v1-other-abc.cbor", message("f", "v1", "other-abc")),
            ("f@v1-abc-1.cbor", message("f", "v1", "abc-1")),
            ("f@v1-rc-abd-2.cbor", message("f", "v1-rc", "abd-2")),
            ("g@v1-zzz.txt", message("g", "v1", "zzz")),
        ];
        for (age, (name, message)) in (1..).zip(&files) {
            let path = folder.path().join(name);
            fs::write(&path, message).unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let check = |id, expected: usize, function: &str| {
            let found = newest(folder.path(), id).unwrap();
            assert_eq!(found.path.file_name().unwrap(), files[expected].0, "{id:?}");
            assert_eq!((found.function.as_str(), &found.message), (function, &files[expected].1));
        };
        check(None, 1, "f@v1");
        check(Some("abc"), 2, "f@v1");
        check(Some("abd"), 3, "f@v1-rc");
        for id in ["rc", "bc-1", "zzz"] {
            assert!(none(Some(id)).ends_with(&format!("whose id begins with `{id}`")));
        }
        assert!(newest(&folder.path().join("x"), None).unwrap_err().to_string().contains("--failures"));
    }
}
