//! Requests that a host has recorded because they failed: `<function>@<version>-<request id>.cbor`, a message each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Recorded {
    /// The later one is the greater one.
    written: SystemTime,
    /// The file.
    pub(crate) path: PathBuf,
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
    let mut newest = None;
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let is_asked_for = stem(&path).is_some_and(|stem| has_id(stem, id.unwrap_or_default()));
        // One that was removed meanwhile isn't there.
        if let Ok(written) = entry.metadata().and_then(|file| file.modified())
            && is_asked_for
        {
            newest = newest.max(Some(Recorded { written, path }));
        }
    }
    let none = || FailuresError::None { folder: folder.to_owned(), id: id.map(str::to_owned) };
    newest.ok_or_else(none)
}

/// The file's name without its end.
fn stem(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_suffix(".cbor").filter(|stem| stem.contains('@'))
}

/// Versions and ids may hold `-`: each of them may be where the id begins.
fn has_id(stem: &str, id: &str) -> bool {
    stem.split_once('@').is_some_and(|(_, rest)| rest.contains(&format!("-{id}")))
}

impl Recorded {
    /// Whether it is a request of the function `<id>@<version>`.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        let rest = stem(&self.path).and_then(|stem| stem.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_newest_request_is_found_or_the_one_of_an_id() {
        let folder = tempfile::tempdir().unwrap();
        let none = |id| newest(folder.path(), id).unwrap_err().to_string();
        assert!(none(None).ends_with("holds no recorded request"));
        let names =
            ["f@v1-abc-1.cbor", "f@v1-rc-abd-2.cbor", "g@v1-zzz.cbor", "other-abc.cbor", "f@v1-abc.txt"];
        for (age, name) in (1..).zip(names) {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let check = |id, expected: &str| {
            let found = newest(folder.path(), id).unwrap();
            assert_eq!(found.path.file_name().unwrap(), expected, "{id:?}");
            found
        };
        assert!(check(None, names[0]).is_of("f@v1") && !check(None, names[0]).is_of("f@v"));
        check(Some("abc-1"), names[0]);
        assert!(check(Some("abd"), names[1]).is_of("f@v1-rc"));
        check(Some("z"), names[2]);
        assert!(none(Some("bc-1")).ends_with("whose id begins with `bc-1`"));
        assert!(newest(&folder.path().join("x"), None).unwrap_err().to_string().contains("--failures"));
    }
}
