//! Notices changes of a package's sources.

use crate::project::Project;
use notify::event::{CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Changes that belong together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Packages may have other dependencies, and folders other subfolders.
    pub(crate) is_of_structure: bool,
}

/// The watched folders.
#[derive(Debug)]
pub(crate) struct Sources {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    target: PathBuf,
}

/// An editor writes a file in several steps, and "save all" several files: a build begins when there was no change for this
/// long. Shorter than what a person notices.
const DEBOUNCE: Duration = Duration::from_millis(30);

/// What cargo writes into each folder `target`, and other tools into folders of things that can be made again
/// (<https://bford.info/cachedir/>).
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// What cargo itself writes while it builds.
const LOCK: &str = "Cargo.lock";

/// What `cargo fezz build` makes.
const FUNCTIONS: &str = "functions";

impl Sources {
    /// Watches the sources of `project`, and calls `changed` from another thread.
    pub(crate) fn watch(
        project: &Project,
        changed: impl Fn(Change) + Send + 'static,
    ) -> notify::Result<Self> {
        let (sender, changes) = mpsc::channel();
        let target: Arc<Path> = project.target.as_path().into();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if let Some(change) = change_of(&event, &target) {
                // Without a receiver, the program ends.
                sender.send(change).ok();
            }
        })?;
        thread::spawn(move || debounce(&changes, changed));
        let mut sources = Self { watcher, watched: BTreeSet::new(), target: project.target.clone() };
        sources.follow(project)?;
        Ok(sources)
    }

    /// Watches what isn't watched yet. The workspace's folder itself has a Cargo.toml.
    pub(crate) fn follow(&mut self, project: &Project) -> notify::Result<()> {
        self.add(&project.root, RecursiveMode::NonRecursive)?;
        for folder in &project.folders {
            self.add(folder, RecursiveMode::NonRecursive)?;
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() && !is_ignored(&entry.path(), &self.target) {
                    self.add(&entry.path(), RecursiveMode::Recursive)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, folder: &Path, mode: RecursiveMode) -> notify::Result<()> {
        if self.watched.insert(folder.to_owned()) {
            self.watcher.watch(folder, mode)?;
        }
        Ok(())
    }
}

/// What an event changes; `None` for one that is of no account.
fn change_of(event: &Event, target: &Path) -> Option<Change> {
    if event.need_rescan() {
        // The kernel has dropped events.
        return Some(Change { is_of_structure: true });
    }
    if matches!(event.kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_))) {
        return None;
    }
    let mut paths = event.paths.iter().filter(|path| !is_ignored(path, target)).peekable();
    paths.peek()?;
    let is_folder = matches!(event.kind, EventKind::Create(CreateKind::Folder));
    let is_package = |path: &PathBuf| path.file_name() == Some(OsStr::new("Cargo.toml"));
    Some(Change { is_of_structure: is_folder || paths.any(is_package) })
}

/// Hidden files and editors' backups, what cargo and `cargo fezz` make, and other folders that can be made again. And logs:
/// each build writes to this command's own one, which would be a change again.
fn is_ignored(path: &Path, target: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_temporary = name.starts_with(b".") || name.ends_with(b"~") || name.ends_with(b".log");
    let is_made_here = [FUNCTIONS, LOCK].iter().any(|made| name == made.as_bytes());
    let is_made = is_made_here || path.starts_with(target) || path.join(CACHE_TAG).exists();
    is_temporary || is_made || is_own_output(path)
}

/// Whether stdout or stderr is the file at `path`.
fn is_own_output(path: &Path) -> bool {
    let Ok(file) = fs::metadata(path) else { return false };
    let outputs = [rustix::fs::fstat(rustix::stdio::stdout()), rustix::fs::fstat(rustix::stdio::stderr())];
    outputs.iter().flatten().any(|output| (output.st_dev, output.st_ino) == (file.dev(), file.ino()))
}

/// Passes on one change for those that come one after the other.
fn debounce(changes: &Receiver<Change>, changed: impl Fn(Change)) {
    while let Ok(mut change) = changes.recv() {
        loop {
            match changes.recv_timeout(DEBOUNCE) {
                Ok(next) => change.is_of_structure |= next.is_of_structure,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        changed(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_build_reads_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("cache")).unwrap();
        fs::write(path("cache").join(CACHE_TAG), "").unwrap();
        let check = |name: &str, kind: EventKind, expected: Option<bool>| {
            let change = change_of(&Event::new(kind).add_path(path(name)), &path("target"));
            assert_eq!(change.map(|change| change.is_of_structure), expected, "{name} {kind:?}");
        };
        let written = EventKind::Modify(ModifyKind::Any);
        check("src/lib.rs", written, Some(false));
        check("Cargo.toml", written, Some(true));
        check("src/new", EventKind::Create(CreateKind::Folder), Some(true));
        check("src/lib.rs", EventKind::Access(notify::event::AccessKind::Any), None);
        for name in [
            ".lib.rs.swp",
            "src/lib.rs~",
            "target",
            "target/debug/x",
            "functions",
            "cache",
            "watch.log",
            "Cargo.lock",
        ] {
            check(name, written, None);
        }
    }
}
