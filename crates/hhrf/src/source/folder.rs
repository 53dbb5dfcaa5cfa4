//! The source of the program `hhrf`: each folder `functions/<id>@<version>` is a release.

use super::module_file::FileIdentity;
use super::store::ModuleStore;
use super::{Entry, Reading, Snapshot, Source, SourceError, owned_file, release_folder};
use crate::catalogue::Release;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// A folder of releases, watched for changes.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    store: Arc<ModuleStore>,
    /// What the releases of the last snapshot were read from.
    known: Known,
    changes: mpsc::Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
    /// Why it can't be watched, until that is logged.
    unwatched: Option<notify::Error>,
}

/// By name.
type Known = HashMap<String, (Contents, Arc<Release>)>;

/// What a release was read from. If it is the same again, nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// The manifest's bytes.
    pub(super) manifest: Vec<u8>,
    /// The identity of the module's file.
    pub(super) module: FileIdentity,
}

/// Why the folder can't be read. At its start the host ends with this error; later the previous functions are still
/// served.
#[derive(Debug, thiserror::Error)]
pub enum FolderSourceError {
    /// The folder can't be read.
    #[error("failed to read the folder `{}`: create it, or set --root to the folder that holds it", path.display())]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Other users could remove functions or replace them with older ones.
    #[error("the functions lie in {0}")]
    NotTrusted(owned_file::OwnedFileError),
}

/// A deployment makes several changes: the folder is read once there were none for this long ...
const DEBOUNCE: Duration = Duration::from_millis(100);
/// ... or when they went on for this long.
const DEBOUNCE_MAX: Duration = Duration::from_secs(2);

impl Folder {
    /// `<root>/functions`, whose modules are kept in `store`. If it can't be watched, that is logged, and operators
    /// must ask for reloads.
    pub fn watched(root: &Path, store: Arc<ModuleStore>) -> Self {
        let path = root.join("functions");
        // One slot is enough to say that there are changes.
        let (sender, changes) = mpsc::channel(1);
        let (watcher, unwatched) = match watch(&path, sender) {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error)),
        };
        Self { path, store, known: Known::new(), changes, _watcher: watcher, unwatched }
    }

    /// The same, for one that doesn't change.
    pub fn unwatched(root: &Path, store: Arc<ModuleStore>) -> Self {
        let (_, changes) = mpsc::channel(1);
        let path = root.join("functions");
        Self { path, store, known: Known::new(), changes, _watcher: None, unwatched: None }
    }
}

impl Source for Folder {
    fn snapshot(&mut self) -> Reading<'_> {
        Box::pin(async move {
            let (path, store) = (self.path.clone(), Arc::clone(&self.store));
            let known = self.known.clone();
            let read = tokio::task::spawn_blocking(move || read(&path, &store, &known)).await;
            let (snapshot, known) = read.map_err(SourceError::from)??;
            self.known = known;
            // Logged only now: if the folder doesn't exist, the read above has already failed.
            if let Some(error) = self.unwatched.take() {
                tracing::warn!(%error, "failed to watch functions/ for changes: send SIGHUP after each change");
            }
            Ok(snapshot)
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if self.changes.recv().await.is_none() {
                return std::future::pending().await;
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
    known: &Known,
) -> Result<(Snapshot, Known), FolderSourceError> {
    let unreadable = |source| FolderSourceError::Unreadable { path: path.to_owned(), source };
    let folders = folders(path).map_err(unreadable)?;
    owned_file::check_folder(path).map_err(FolderSourceError::NotTrusted)?;
    let (mut snapshot, mut now_known) = (Snapshot::default(), Known::new());
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let release = release_folder::read(&folder, &name, store, known.get(&name));
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
        snapshot.entries.push(Entry { name, origin, release: release.map_err(SourceError::from) });
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
