//! A host's life: serve, drain, end.

use crate::host::Host;
use crate::reload;
use crate::serve::serve;
use crate::settings::Entrance;
use crate::source::Source;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Where the host listens.
#[derive(Debug)]
pub struct Listeners {
    /// For requests.
    pub main: TcpListener,
    /// For operators.
    pub admin: Option<TcpListener>,
}

/// How a host came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// What had begun was finished, or met its deadline.
    Drained,
    /// It was told a second time, and left at once what had begun.
    Forced,
}

/// For the last process's end and the last response's way out, once the longest deadline is past.
const LAST_WORDS_MAX: Duration = Duration::from_secs(5);

/// Serves what `source` yields until `shutdown` resolves, then drains: not ready at once; after the wait of the settings no new connection;
/// then what runs is finished or meets its deadline. When `now` resolves during that, the end is forced.
pub async fn run(
    host: Arc<Host>,
    listeners: Listeners,
    source: Box<dyn Source>,
    shutdown: impl Future<Output = ()>,
    now: impl Future<Output = ()>,
) -> Ended {
    let (stop, stopped) = watch::channel(false);
    let mut servers = tokio::task::JoinSet::new();
    let admin = listeners.admin.map(|admin| (admin, Entrance::Admin));
    for (listener, entrance) in [(listeners.main, Entrance::Main)].into_iter().chain(admin) {
        let mut stopped = stopped.clone();
        let stop = async move { stopped.wait_for(|stopped| *stopped).await.map(drop).unwrap_or_default() };
        servers.spawn(serve(Arc::clone(&host), listener, entrance, stop));
    }
    let reloads = tokio::spawn(reload::follow(Arc::clone(&host), source));
    let sweeping = Arc::clone(&host);
    tokio::spawn(async move { sweeping.executors.keep_sweeping().await });
    let tidying = Arc::clone(&host);
    tokio::spawn(async move { tidying.executors.keep_ticking().await });
    let rate = host.settings.limits.data_rate;
    for memory in [&host.request_memory, &host.response_memory] {
        let memory = Arc::clone(memory);
        tokio::spawn(async move { memory.keep_rate(rate).await });
    }

    shutdown.await;
    let wait_ms = u64::try_from(host.settings.limits.drain_wait.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(wait_ms, "shutting down: not ready");
    host.leave();
    let drained = async {
        sleep(host.settings.limits.drain_wait).await;
        host.drain();
        reloads.abort();
        tracing::info!(in_flight = host.metrics.in_flight.get(), "shutting down: finishing what runs");
        stop.send_replace(true);
        let longest = host.catalogue.load().functions().map(|function| function.release.timeout).max();
        let patience = longest.unwrap_or_default() + host.settings.limits.body_timeout + LAST_WORDS_MAX;
        if timeout(patience, finish(&host, &mut servers)).await.is_err() {
            tracing::warn!("shutting down: clients that took too long were cut off");
        }
    };
    let ended = tokio::select! {
        () = drained => Ended::Drained,
        () = now => Ended::Forced,
    };
    if ended == Ended::Forced {
        host.executors.retire();
        host.executors.kill_all().await;
        if timeout(LAST_WORDS_MAX, no_process(&host)).await.is_err() {
            tracing::error!(processes = host.processes.taken(), "processes are left that can't be ended");
        }
    }
    tracing::info!(in_flight = host.metrics.in_flight.get(), "stopped: {ended:?}");
    ended
}

/// Waits until every connection has ended, and every process.
async fn finish(host: &Host, servers: &mut tokio::task::JoinSet<()>) {
    while servers.join_next().await.is_some() {}
    host.executors.retire();
    no_process(host).await;
}

async fn no_process(host: &Host) {
    const PAUSE: Duration = Duration::from_millis(5);
    while host.processes.taken() > 0 || !host.executors.is_empty() {
        sleep(PAUSE).await;
    }
}
