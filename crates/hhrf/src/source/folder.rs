//! The source of the program `hhrf`: each folder `functions/<id>@<version>` is a release.

use super::release_folder::{self, Contents};
use super::{Entry, Reading, Secrets, Snapshot, Source, SourceError, Unavailable, owned_file};
use crate::release::{ModuleStore, Release};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// A folder of releases, watched for changes.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    store: Arc<ModuleStore>,
    secrets: Secrets,
    /// Whether it may be missing.
    is_optional: bool,
    /// What the releases of the last snapshot were read from.
    known: Known,
    changes: mpsc::Receiver<()>,
    /// `None` for a folder that doesn't change.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    sender: mpsc::Sender<()>,
    /// Device and inode of the folder, which may be replaced by another.
    watched: Option<(u64, u64)>,
    _watcher: Option<RecommendedWatcher>,
}

/// By name.
type Known = HashMap<String, (Contents, Arc<Release>)>;

/// Why the folder can't be read. At the host's start it ends with this error; later the previous functions are still
/// served.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderSourceError {
    #[error("failed to read the folder `{}`: create it, or set --root to the folder that holds it", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Other users could remove functions or replace them with older ones.
    #[error("the functions lie in {0}")]
    NotTrusted(owned_file::OwnedFileError),
}

/// A deployment makes several changes: the folder is read once there were none for this long ...
const DEBOUNCE: Duration = Duration::from_millis(100);
/// ... or when they went on for this long.
const DEBOUNCE_MAX: Duration = Duration::from_secs(2);

/// How soon a folder is noticed that takes the place of the one that is watched, or of a link to it.
const CHECK_EVERY: Duration = Duration::from_secs(1);

impl Folder {
    /// `<root>/functions`, whose modules are kept in `store`. If it can't be watched, that is logged, and operators
    /// must ask for reloads.
    pub fn watched(root: &Path, store: Arc<ModuleStore>) -> Self {
        Self::watched_itself(root.join("functions"), store)
    }

    /// The folder `path` itself, which holds a folder `<id>@<version>` for each release.
    pub fn watched_itself(path: PathBuf, store: Arc<ModuleStore>) -> Self {
        // One slot is enough to say that there are changes.
        let (sender, changes) = mpsc::channel(1);
        let mut watch = Watch { sender, watched: None, _watcher: None };
        // Where it isn't there, the first snapshot fails, and says so.
        watch.follow(&path);
        Self::new(path, store, changes, Some(watch))
    }

    /// The same, for one that doesn't change.
    pub fn unwatched(root: &Path, store: Arc<ModuleStore>) -> Self {
        let (_, changes) = mpsc::channel(1);
        Self::new(root.join("functions"), store, changes, None)
    }

    fn new(
        path: PathBuf,
        store: Arc<ModuleStore>,
        changes: mpsc::Receiver<()>,
        watch: Option<Watch>,
    ) -> Self {
        let (secrets, known) = (Secrets::default(), Known::new());
        Self { path, store, secrets, is_optional: false, known, changes, watch }
    }

    /// Takes a folder that isn't there for an empty one: the functions may have another source.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// Gives the functions their secrets, which are read at each snapshot. They aren't watched: a tool that changes several
    /// then asks for a reload.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }
}

impl Source for Folder {
    fn snapshot(&mut self) -> Reading<'_> {
        Box::pin(async move {
            if let Some(watch) = &mut self.watch {
                watch.follow(&self.path);
            }
            if self.is_optional && matches!(self.path.try_exists(), Ok(false)) {
                self.known.clear();
                return Ok(Snapshot::default());
            }
            let (path, store) = (self.path.clone(), Arc::clone(&self.store));
            let (secrets, known) = (self.secrets.clone(), self.known.clone());
            let read = tokio::task::spawn_blocking(move || read(&path, &store, &secrets, &known)).await;
            let (snapshot, known) = read.map_err(SourceError::from)??;
            self.known = known;
            Ok(snapshot)
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                match timeout(CHECK_EVERY, self.changes.recv()).await {
                    Ok(Some(())) => break,
                    Ok(None) => return std::future::pending().await,
                    Err(_) if self.watch.as_ref().is_some_and(|watch| watch.is_replaced(&self.path)) => {
                        return;
                    }
                    Err(_) => {}
                }
            }
            let end = Instant::now() + DEBOUNCE_MAX;
            loop {
                let pause_end = Instant::now() + DEBOUNCE;
                match timeout_at(pause_end.min(end), self.changes.recv()).await {
                    Ok(Some(())) => {}
                    Ok(None) | Err(_) => return,
                }
            }
        })
    }
}

impl Watch {
    /// Whether another folder is at `path` than the one that is watched.
    fn is_replaced(&self, path: &Path) -> bool {
        identity(path).is_some_and(|folder| Some(folder) != self.watched)
    }

    /// Watches the folder that is at `path` now, if that isn't the one that is watched.
    fn follow(&mut self, path: &Path) {
        if !self.is_replaced(path) {
            return;
        }
        self.watched = identity(path);
        match watch(path, self.sender.clone()) {
            Ok(watcher) => self._watcher = Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "failed to watch functions/ for changes: send SIGHUP after each change");
            }
        }
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    let folder = std::fs::metadata(folder).ok()?;
    Some((folder.dev(), folder.ino()))
}

fn watch(folder: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let is_change = !matches!(event, Ok(Event { kind: EventKind::Access(_), .. }));
        if is_change {
            // If the channel is full, a change is already announced.
            sender.try_send(()).ok();
        }
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    Ok(watcher)
}

fn read(
    path: &Path,
    store: &Arc<ModuleStore>,
    secrets: &Secrets,
    known: &Known,
) -> Result<(Snapshot, Known), FolderSourceError> {
    let unreadable = |source| FolderSourceError::Unreadable { path: path.to_owned(), source };
    let folders = folders(path).map_err(unreadable)?;
    owned_file::check_folder(path).map_err(FolderSourceError::NotTrusted)?;
    let (mut snapshot, mut now_known) = (Snapshot::default(), Known::new());
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let release = release_folder::read(&folder, &name, store, secrets, known.get(&name));
        let release = release.map(|(contents, release)| {
            now_known.insert(name.clone(), (contents, Arc::clone(&release)));
            release
        });
        // Kept: a broken folder may become what it was before.
        if release.is_err()
            && let Some(before) = known.get(&name)
        {
            now_known.insert(name.clone(), before.clone());
        }
        let origin = folder.join(release_folder::MANIFEST_FILE).display().to_string();
        let release = release.map_err(|error| Unavailable { name, cause: error.into() });
        snapshot.entries.push(Entry { origin, release });
    }
    Ok((snapshot, now_known))
}

/// The folders below `path`, in the order of their names. Hidden ones are skipped: deployment tools prepare releases
/// there.
fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}
