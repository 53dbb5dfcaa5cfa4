//! The host's source of releases: the registered functions, and those of a folder if there is one.

use super::registry::Registry;
use hhrf::log::chain;
use hhrf::release::Release;
use hhrf::source::{Entry, Folder, Reading, Snapshot, Source};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Combined {
    registry: Arc<Registry>,
    folder: Option<Kept>,
    /// The registry's generation in the last snapshot.
    read: u64,
    /// The generation that is served; `None` until the server runs.
    served: Arc<watch::Sender<Option<u64>>>,
}

/// A folder, and its last releases, in case that it can't be read.
#[derive(Debug)]
struct Kept {
    folder: Folder,
    last: Option<Vec<(String, Arc<Release>)>>,
}

impl Combined {
    pub(super) fn new(
        registry: Arc<Registry>,
        folder: Option<Folder>,
        served: Arc<watch::Sender<Option<u64>>>,
    ) -> Self {
        let folder = folder.map(|folder| Kept { folder, last: None });
        Self { registry, folder, read: 0, served }
    }
}

impl Source for Combined {
    fn snapshot(&mut self) -> Reading<'_> {
        Box::pin(async move {
            let (generation, mut entries) = self.registry.entries();
            if let Some(folder) = &mut self.folder {
                entries.extend(folder.snapshot().await?.entries);
            }
            self.read = generation;
            Ok(Snapshot { entries, ..Snapshot::default() })
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // The host asks when it has built its catalogue from the snapshot before.
            self.served.send_replace(Some(self.read));
            let folder = async {
                match &mut self.folder {
                    Some(kept) => kept.folder.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.registry.changed() => {}
                () = folder => {}
            }
        })
    }
}

impl Kept {
    /// A folder that can't be read any more keeps its releases, so that functions are registered all the same.
    async fn snapshot(&mut self) -> Result<Snapshot, hhrf::source::SourceError> {
        let error = match (self.folder.snapshot().await, &self.last) {
            (Ok(snapshot), _) => {
                let releases = snapshot.entries.iter();
                let releases = releases.filter_map(|entry| {
                    Some((entry.origin.clone(), Arc::clone(entry.release.as_ref().ok()?)))
                });
                self.last = Some(releases.collect());
                return Ok(snapshot);
            }
            (Err(error), None) => return Err(error),
            (Err(error), Some(_)) => error,
        };
        tracing::error!(
            error = chain(&*error),
            "failed to read the folder; its previous functions are still served"
        );
        let entry = |(origin, release): &(String, Arc<Release>)| Entry {
            origin: origin.clone(),
            release: Ok(Arc::clone(release)),
        };
        let entries = self.last.iter().flatten().map(entry).collect();
        Ok(Snapshot { entries, ..Snapshot::default() })
    }
}
