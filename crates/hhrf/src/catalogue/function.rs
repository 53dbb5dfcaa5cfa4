//! A function that is served: its present release, and what outlives releases.

use super::release::Release;
use crate::limiter::Limiter;
use crate::memory::Account;
use std::sync::Arc;

/// One release of a function, ready to serve.
#[derive(Debug)]
pub struct Function {
    /// The release.
    pub release: Arc<Release>,
    /// What all releases of its name share.
    pub home: Arc<Home>,
}

/// What outlives the releases of a function.
#[derive(Debug)]
pub struct Home {
    /// Limits how many of its requests run, and how many wait.
    pub limiter: Arc<Limiter>,
    /// What its requests hold of the host's memory.
    pub account: Arc<Account>,
}

impl Function {
    /// Serves a release, in the home of the `previous` one of its name.
    pub(super) fn new(release: Arc<Release>, previous: Option<&Self>) -> Self {
        let limits = &release.limits;
        let new_home = || {
            let limiter = Limiter::new(limits.concurrency, limits.queue);
            Arc::new(Home { limiter, account: Arc::default() })
        };
        let home = previous.map_or_else(new_home, |previous| Arc::clone(&previous.home));
        Self { release, home }
    }

    /// Resizes the home's limiter to this release's limits.
    pub(super) fn resize_home(&self) {
        let limits = &self.release.limits;
        self.home.limiter.resize(limits.concurrency, limits.queue);
    }

    /// `<id>@<version>`
    pub fn name(&self) -> String {
        self.release.name()
    }
}
