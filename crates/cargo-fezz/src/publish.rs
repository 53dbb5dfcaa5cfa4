//! Puts a release into a folder `functions/` in one step: a host that watches it sees the old release or the new one,
//! never a part of either.
//!
//! The new folder is written beside under a hidden name, which the host skips, and is on the disk before it gets its
//! real name: after a power failure there is no empty module.

use fezz_sandbox::release::{MANIFEST_FILE, Release};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What to do with another release of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Replace it.
    Replace,
    /// Leave it, and fail.
    Keep,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// There was no release of that name.
    Created,
    /// The same was there already: nothing was written, and the host keeps its processes.
    Unchanged,
    /// Another was there.
    Replaced,
}

impl Outcome {
    /// For a line that a person reads.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Unchanged => "Unchanged",
            Self::Replaced => "Replaced",
        }
    }
}

/// Why a release isn't in place. What was there before still is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error("failed to write a release to `{}`: name a folder that you may write to", folder.display())]
    NotWritten { folder: PathBuf, source: io::Error },
    #[error("failed to rename the new folder to `{}`", folder.display())]
    NotRenamed { folder: PathBuf, source: io::Error },
    #[error(
        "`{}` holds another release of the same version: give the new one a version of its own, so that both can be served and \
         the old one can come back; or replace it by --force", folder.display()
    )]
    Differs { folder: PathBuf },
}

/// Puts `release` into `functions`, which is made if it isn't there.
pub(crate) fn publish(
    release: &Release,
    functions: &Path,
    existing: Existing,
) -> Result<Outcome, PublishError> {
    let folder = functions.join(&release.name);
    if is_same(&folder, release) {
        return Ok(Outcome::Unchanged);
    }
    if folder.exists() && existing == Existing::Keep {
        return Err(PublishError::Differs { folder });
    }
    let written = write_beside(functions, release);
    let new = written.map_err(|source| PublishError::NotWritten { folder: functions.to_owned(), source })?;
    let outcome = rename(new.path(), &folder)
        .map_err(|source| PublishError::NotRenamed { folder: folder.clone(), source })?;
    if outcome == Outcome::Created {
        // It has another name now, by which it must not be removed.
        let _ = new.keep();
    }
    sync(functions).map_err(|source| PublishError::NotRenamed { folder, source })?;
    Ok(outcome)
}

fn is_same(folder: &Path, release: &Release) -> bool {
    let is = |name: &str, bytes: &[u8]| std::fs::read(folder.join(name)).is_ok_and(|found| found == bytes);
    is(MANIFEST_FILE, release.json.as_bytes()) && is(release.manifest.file(), &release.module)
}

fn write_beside(functions: &Path, release: &Release) -> io::Result<tempfile::TempDir> {
    std::fs::create_dir_all(functions)?;
    // A host that runs as another user must be able to read it, while tempfile's default is for this user alone.
    let readable = Permissions::from_mode(0o755);
    let prefix = format!(".{}.", release.name);
    let new = tempfile::Builder::new().prefix(&prefix).permissions(readable).tempdir_in(functions)?;
    write_code(new.path(), release)?;
    write(&new.path().join(MANIFEST_FILE), release.json.as_bytes())?;
    sync(new.path())?;
    Ok(new)
}

/// Writes the module, or the program, which may lie in a folder below.
fn write_code(folder: &Path, release: &Release) -> io::Result<()> {
    let path = folder.join(release.manifest.file());
    let between = path.parent().filter(|between| *between != folder);
    between.map(std::fs::create_dir_all).transpose()?;
    write(&path, &release.module)?;
    if release.manifest.binary.is_some() {
        // A runner without a host executes it where it lies, as another user.
        std::fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    between.map_or(Ok(()), sync)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Gives the folder `new` the name `folder`, in one step also where a folder has that name: rename(2) replaces only
/// empty ones. That folder then has the name `new`.
fn rename(new: &Path, folder: &Path) -> io::Result<Outcome> {
    match renameat_with(CWD, new, CWD, folder, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(Outcome::Replaced),
        Err(Errno::NOENT) => {
            renameat_with(CWD, new, CWD, folder, RenameFlags::NOREPLACE)?;
            Ok(Outcome::Created)
        }
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_manifest::Manifest;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn release(module: &str) -> Release {
        let json = format!(
            "{{\"id\": \"f\", \"version\": \"v1\", \"entry\": \"f.so\", \"description\": \"{module}\"}}"
        );
        let manifest = Manifest::parse(json.as_bytes(), "f@v1").unwrap();
        Release { name: "f@v1".to_owned(), json, manifest, module: module.into() }
    }

    #[test]
    fn a_release_is_created_left_alone_kept_or_replaced() {
        let root = tempfile::tempdir().unwrap();
        let functions = root.path().join("functions");
        let publish = |module, existing| publish(&release(module), &functions, existing);
        assert_eq!(publish("a", Existing::Keep).unwrap(), Outcome::Created);
        assert_eq!(publish("a", Existing::Keep).unwrap(), Outcome::Unchanged);
        let refused = publish("b", Existing::Keep).unwrap_err().to_string();
        assert!(refused.contains("version of its own") && refused.contains("--force"), "{refused}");
        assert_eq!(std::fs::read(functions.join("f@v1/f.so")).unwrap(), b"a");
        assert_eq!(publish("b", Existing::Replace).unwrap(), Outcome::Replaced);
        assert_eq!(std::fs::read(functions.join("f@v1/f.so")).unwrap(), b"b");
        assert_eq!(std::fs::read_dir(&functions).unwrap().count(), 1, "a folder is left behind");
    }

    #[test]
    fn a_reader_never_finds_a_part_of_a_release() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("f@v1");
        publish(&release("0"), root.path(), Existing::Replace).unwrap();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    // One folder, however often its name changes hands.
                    let open = File::open(&folder).expect("the folder is there at every moment");
                    let inside = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
                    let names = std::fs::read_dir(&inside).map_or(0, Iterator::count);
                    // An old one may be emptied while it is read; under the real name there are always both files.
                    let is_current = || std::fs::canonicalize(&inside).is_ok_and(|now| now == folder);
                    assert!(names == 2 || !is_current(), "{names} files");
                }
            });
            (1..100).for_each(|number: u32| {
                publish(&release(&number.to_string()), root.path(), Existing::Replace).unwrap();
            });
            is_done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_host_of_another_user_may_read_the_folder() {
        let root = tempfile::tempdir().unwrap();
        publish(&release("a"), root.path(), Existing::Keep).unwrap();
        let mode = std::fs::metadata(root.path().join("f@v1")).unwrap().permissions().mode();
        // As far as this user's umask allows it.
        let plain = root.path().join("plain");
        std::fs::create_dir(&plain).unwrap();
        assert_eq!(mode & 0o777, std::fs::metadata(plain).unwrap().permissions().mode() & 0o755, "{mode:o}");
    }
}
