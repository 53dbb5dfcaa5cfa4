//! A release that replaces another one begins to serve when its processes are ready; until then the other one serves on, and
//! the new one is a candidate.

use crate::catalogue::{Catalogue, Replacement};
use crate::execute::NotReady;
use crate::execute::pool::Readiness;
use crate::host::Host;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How long a reload waits for the processes of new releases. Other changes wait for it, too. Most workers need less than a
/// second; one that needs longer takes over by a reload of its own.
pub(super) const READY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Has the processes started of each function that replaces another one of `previous`, and waits until they are ready. The
/// functions for which it waits in vain become candidates.
pub(super) async fn wait(host: &Host, catalogue: &mut Catalogue, previous: &Catalogue) {
    let until = Instant::now() + READY_WAIT_MAX;
    let prepare = |replacement: Replacement| {
        let Replacement { function, predecessor } = &replacement;
        host.executors.prepare(function, predecessor).map(|readiness| (replacement, readiness))
    };
    // All are started before the first one is awaited.
    let started: Vec<_> = catalogue.replacements(previous).into_iter().filter_map(prepare).collect();
    let mut late = Vec::new();
    for (replacement, readiness) in started {
        if let Err(cause) = is_ready(readiness, until).await {
            late.push((replacement, cause));
        }
    }
    if !late.is_empty() {
        catalogue.hold_back(late, previous);
    }
}

async fn is_ready(mut readiness: watch::Receiver<Readiness>, until: Instant) -> Result<(), NotReady> {
    let decided = readiness.wait_for(|readiness| !matches!(readiness, Readiness::Starting));
    match timeout_at(until, decided).await {
        Ok(Ok(decided)) => match &*decided {
            Readiness::Failed(failure) => Err(NotReady::Failed(failure.clone())),
            Readiness::Starting | Readiness::Ready => Ok(()),
        },
        // Its pool is gone: the host ends.
        Ok(Err(_)) => Ok(()),
        Err(_) => Err(NotReady::Starting { waited: READY_WAIT_MAX }),
    }
}

/// Waits until a candidate is ready; for ever, if there is none.
pub(super) async fn of_a_candidate(host: &Host) {
    let catalogue = host.catalogue.load_full();
    let mut waits = JoinSet::new();
    for mut readiness in catalogue.candidates().filter_map(|candidate| host.executors.readiness(candidate)) {
        waits.spawn(async move {
            readiness.wait_for(|readiness| matches!(readiness, Readiness::Ready)).await.map(drop)
        });
    }
    while let Some(waited) = waits.join_next().await {
        if matches!(waited, Ok(Ok(()))) {
            return;
        }
    }
    std::future::pending().await
}
