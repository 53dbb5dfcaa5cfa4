//! What outlives the releases of a function.

use super::uids::Uids;
use crate::limiter::Limiter;
use crate::memory::Account;
use crate::release::Release;
use crate::series::{Recording, Series};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a new release of the same name takes over. A limit of requests per second belongs here, too, once there is one:
/// a deployment mustn't reset it.
#[derive(Debug)]
pub struct Home {
    /// Limits how many of its requests run, and how many wait.
    pub(crate) limiter: Arc<Limiter>,
    /// What its requests hold of the host's memory.
    pub(crate) account: Arc<Account>,
    name: String,
    uids: Option<Arc<Uids>>,
    uid: OnceLock<u32>,
    /// Keeps its counters while it is served. An executor may hold a function for longer.
    recording: Mutex<Option<Recording>>,
}

/// Makes the homes of a host's functions.
#[derive(Debug)]
pub(crate) struct Homes {
    uids: Option<Arc<Uids>>,
    series: Arc<Series>,
}

impl Home {
    /// The user that its processes run as, if the host is root; given to it at its first process.
    pub(crate) fn uid(&self) -> Option<u32> {
        let uids = self.uids.as_ref()?;
        Some(*self.uid.get_or_init(|| uids.of(&self.name)))
    }

    /// Begins to record one of its requests.
    pub(crate) fn record(&self, series: &Arc<Series>) -> Recording {
        let own = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        own.clone().unwrap_or_else(|| series.begin(&self.name))
    }

    /// No release of its name is served any more: its counters go with its last request.
    pub(super) fn close(&self) {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Homes {
    /// With uids from `uid_base` on, if the host is root and gives some; counters are kept in `series`.
    pub(crate) fn new(uid_base: Option<u32>, series: Arc<Series>) -> Self {
        Self { uids: uid_base.map(Uids::new).map(Arc::new), series }
    }

    /// A home for the first release of a name.
    pub(super) fn make(&self, release: &Release) -> Arc<Home> {
        let (name, limits) = (release.name(), &release.limits);
        Arc::new(Home {
            limiter: Limiter::new(limits.concurrency, limits.queue),
            account: Arc::default(),
            recording: Mutex::new(Some(self.series.begin(&name))),
            name,
            uids: self.uids.clone(),
            uid: OnceLock::new(),
        })
    }
}
