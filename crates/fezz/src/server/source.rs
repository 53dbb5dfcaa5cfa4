//! The host's source of the registered functions.

use super::registry::Registry;
use hhrf::source::{Reading, Snapshot, Source};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Registered {
    registry: Arc<Registry>,
    /// The registry's generation in the last snapshot.
    read: u64,
    /// The generation that is served; `None` until the server runs.
    served: Arc<watch::Sender<Option<u64>>>,
}

impl Registered {
    pub(super) fn new(registry: Arc<Registry>, served: Arc<watch::Sender<Option<u64>>>) -> Self {
        Self { registry, read: 0, served }
    }
}

impl Source for Registered {
    fn snapshot(&mut self) -> Reading<'_> {
        Box::pin(async move {
            let (generation, entries) = self.registry.entries();
            self.read = generation;
            Ok(Snapshot { entries, ..Snapshot::default() })
        })
    }

    fn changed(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // The host asks when it has built its catalogue from the snapshot before.
            self.served.send_replace(Some(self.read));
            self.registry.changed().await;
        })
    }
}
