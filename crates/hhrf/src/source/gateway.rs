//! The source of `--gateway`: the functions of one YAML file, which names their modules and programs.

use super::owned_file::{self, OwnedFileError};
use super::release_folder::{self, Contents, FolderError};
use super::{Entry, Reading, Secrets, Snapshot, Source, SourceError, Unavailable};
use crate::release::{ModuleStore, Release};
use fezz_manifest::gateway::{Gateway, GatewayError, GatewayFunction};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// A gateway file, looked at for changes.
#[derive(Debug)]
pub struct GatewayFile {
    path: PathBuf,
    store: Arc<ModuleStore>,
    secrets: Secrets,
    /// What the releases of the last snapshot were made of.
    known: Known,
    /// The file and those that it names, as they were at the last snapshot.
    seen: Vec<Seen>,
}

/// By name.
type Known = HashMap<String, (Contents, Arc<Release>)>;

/// A file with its state, `None` if it isn't there.
type Seen = (PathBuf, Option<(u64, u64, u64, i64, i64)>);

/// Why the file can't be read. At the host's start it ends with this error; later the previous functions are still served.
#[derive(Debug, thiserror::Error)]
enum GatewayFileError {
    #[error("the gateway file `{}` doesn't exist", path.display())]
    Missing { path: PathBuf },
    #[error("the gateway file is {0}")]
    File(OwnedFileError),
    #[error("the gateway file lies in {0}")]
    NotTrusted(OwnedFileError),
    #[error("the gateway file `{}` is not UTF-8: write it as text", path.display())]
    NotText { path: PathBuf },
    #[error("the gateway file `{}`, {cause}", path.display())]
    Wrong { path: PathBuf, cause: GatewayError },
}

/// Why one of its functions has no release.
#[derive(Debug, thiserror::Error)]
enum FunctionError {
    #[error(transparent)]
    Manifest(GatewayError),
    #[error(transparent)]
    Release(FolderError),
    #[error("key `entry` names a file in {0}")]
    Folder(OwnedFileError),
}

/// Hundreds of functions with all their keys; a larger file is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How often the files are looked at, by some calls of stat(2). They may lie in any folder, beside files that change all
/// the time, so that watching their folders would cost more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A deployment makes several changes: the file is read once there were none for this long.
const SETTLED_AFTER: Duration = Duration::from_millis(200);

impl GatewayFile {
    /// The file at `path`, an absolute one, whose code is kept in `store`.
    pub fn new(path: PathBuf, store: Arc<ModuleStore>, secrets: Secrets) -> Self {
        Self { path, store, secrets, known: Known::new(), seen: Vec::new() }
    }

    /// The state of the files that were seen last.
    fn look(&self) -> Vec<Seen> {
        self.seen.iter().map(|(path, _)| see(path.clone())).collect()
    }
}

impl Source for GatewayFile {
    fn snapshot(&mut self) -> Reading<'_> {
        Box::pin(async move {
            let (path, store) = (self.path.clone(), Arc::clone(&self.store));
            let (secrets, known) = (self.secrets.clone(), self.known.clone());
            // Before it is read: a change in between is seen at the next look.
            self.seen = vec![see(path.clone())];
            let read = tokio::task::spawn_blocking(move || read(&path, &store, &secrets, &known)).await;
            let (snapshot, known, files) = read.map_err(SourceError::from)??;
            self.known = known;
            self.seen.extend(files);
            Ok(snapshot)
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            while self.look() == self.seen {
                sleep(LOOK_EVERY).await;
            }
            let mut before = self.look();
            loop {
                sleep(SETTLED_AFTER).await;
                let now = self.look();
                if now == before {
                    return;
                }
                before = now;
            }
        })
    }
}

fn see(path: PathBuf) -> Seen {
    let file = std::fs::metadata(&path).ok();
    let state = file.map(|file| (file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec()));
    (path, state)
}

fn read(
    path: &Path,
    store: &Arc<ModuleStore>,
    secrets: &Secrets,
    known: &Known,
) -> Result<(Snapshot, Known, Vec<Seen>), GatewayFileError> {
    let folder = path.parent().unwrap_or(path);
    let (text, _) = owned_file::read(path, FILE_BYTES_MAX).map_err(|error| match error {
        OwnedFileError::Missing { path } => GatewayFileError::Missing { path },
        error => GatewayFileError::File(error),
    })?;
    owned_file::check_folder(folder).map_err(GatewayFileError::NotTrusted)?;
    let not_text = |_| GatewayFileError::NotText { path: path.to_owned() };
    let text = String::from_utf8(text).map_err(not_text)?;
    let wrong = |cause| GatewayFileError::Wrong { path: path.to_owned(), cause };
    let gateway = Gateway::parse(&text).map_err(wrong)?;
    let (mut snapshot, mut now_known, mut files) = (Snapshot::default(), Known::new(), Vec::new());
    for function in gateway.functions {
        let (name, line) = (function.name.clone(), function.place.line);
        files.extend(
            function.manifest.iter().map(|manifest| see(folder.join(&function.folder).join(manifest.file()))),
        );
        let before = known.get(&name);
        let release = release(function, folder, store, secrets, before);
        let release = match release {
            Ok(made) => {
                let release = Arc::clone(&made.1);
                now_known.insert(name, made);
                Ok(release)
            }
            Err(error) => {
                // Kept: it may become what it was before.
                now_known.extend(before.map(|before| (name.clone(), before.clone())));
                Err(Unavailable { name, cause: error.into() })
            }
        };
        snapshot.entries.push(Entry { origin: format!("{}:{line}", path.display()), release });
    }
    Ok((snapshot, now_known, files))
}

fn release(
    function: GatewayFunction,
    folder: &Path,
    store: &Arc<ModuleStore>,
    secrets: &Secrets,
    known: Option<&(Contents, Arc<Release>)>,
) -> Result<(Contents, Arc<Release>), FunctionError> {
    let manifest = function.manifest.map_err(FunctionError::Manifest)?;
    let own = folder.join(&function.folder);
    for between in own.ancestors().take_while(|between| *between != folder) {
        if between.is_dir() {
            owned_file::check_folder(between).map_err(FunctionError::Folder)?;
        }
    }
    release_folder::make(manifest, function.json, &own, store, secrets, known).map_err(FunctionError::Release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gateway_file_that_is_missing_is_named() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = ModuleStore::open(folder.path()).unwrap();
        let path = folder.path().join("edg.yaml");
        let mut source = GatewayFile::new(path.clone(), store, Secrets::default());
        let sentence = source.snapshot().await.unwrap_err().to_string();
        assert_eq!(sentence, format!("the gateway file `{}` doesn't exist", path.display()));
    }
}
