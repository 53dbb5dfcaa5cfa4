//! A function that is served: its present release, and its [`Home`].

use super::home::{Home, Homes};
use super::own_routes::OwnRoutes;
use crate::release::Release;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One release of a function, ready to serve.
#[derive(Debug)]
pub struct Function {
    /// The release.
    pub release: Arc<Release>,
    /// What all releases of its name share.
    pub home: Arc<Home>,
    /// For requests that call it by its name.
    pub(crate) own_routes: OwnRoutes,
    is_retired: AtomicBool,
}

impl Function {
    /// Serves a release, in the home of the `previous` one of its name.
    pub(super) fn new(release: Arc<Release>, previous: Option<&Self>, homes: &Homes) -> Self {
        let home = previous.map_or_else(|| homes.make(&release), |previous| Arc::clone(&previous.home));
        let own_routes = OwnRoutes::new(&release.routes);
        Self { release, home, own_routes, is_retired: AtomicBool::new(false) }
    }

    /// Resizes the home's limiter to this release's limits.
    pub(crate) fn resize_home(&self) {
        let limits = &self.release.limits;
        self.home.limiter.resize(limits.concurrency, limits.queue);
    }

    /// It isn't served any more, except for requests that have begun.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    /// Whether it isn't served any more. Then nothing of it is kept for later requests.
    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// `<id>@<version>`
    pub fn name(&self) -> String {
        self.release.name()
    }
}
