//! A new catalogue, whenever somebody asks for it or changes `functions/`.

use crate::catalogue::Catalogue;
use crate::host::Host;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// A deployment is several changes: the catalogue is read when there were none for this long ...
const QUIET: Duration = Duration::from_millis(100);
/// ... or when they went on for this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reloads when it is asked for ([`Host::ask_for_reload`]) and on changes, for ever. What can't be watched is said once.
pub async fn follow(host: Arc<Host>) {
    let (sender, mut changes) = mpsc::channel(1);
    let watcher = watch(&host.settings.root.join("functions"), sender.clone());
    let _watcher = watcher.map_err(|error| {
        tracing::warn!(%error, "changes under functions/ can't be watched: send SIGHUP after each");
    });
    // What has changed since the first catalogue was read, neither of the two has seen.
    if let Some(catalogue) = load(&host).await
        && !catalogue.is_same_as(&host.catalogue.load())
    {
        swap_in(&host, catalogue, &host.catalogue.load_full());
    }
    loop {
        tokio::select! {
            // Who asks wants to hear everything that is wrong, again.
            () = host.asked_for_reload() => reload(&host, &Catalogue::default()).await,
            _ = changes.recv() => {
                settle(&mut changes).await;
                reload(&host, &host.catalogue.load_full()).await;
            }
        }
    }
}

fn watch(functions: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let is_change = !matches!(event, Ok(Event { kind: EventKind::Access(_), .. }));
        if is_change {
            // A full channel says the same already.
            sender.try_send(()).ok();
        }
    })?;
    watcher.watch(functions, RecursiveMode::Recursive)?;
    Ok(watcher)
}

async fn settle(changes: &mut mpsc::Receiver<()>) {
    let patience = Instant::now() + PATIENCE;
    loop {
        let quiet = Instant::now() + QUIET;
        match timeout_at(quiet.min(patience), changes.recv()).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// Swaps a new catalogue in, and reports what is wrong with it beyond what is wrong with `known`.
async fn reload(host: &Arc<Host>, known: &Catalogue) {
    if let Some(catalogue) = load(host).await {
        swap_in(host, catalogue, known);
    }
}

/// Reads a new catalogue; where that fails, says so.
async fn load(host: &Arc<Host>) -> Option<Catalogue> {
    let (root, store) = (host.settings.root.clone(), Arc::clone(&host.store));
    let previous = host.catalogue.load_full();
    let loaded = tokio::task::spawn_blocking(move || Catalogue::load(&root, &store, &previous)).await;
    const KEPT: &str = "not reloaded, the functions stay as they were read";
    match loaded {
        Ok(Ok(catalogue)) => return Some(catalogue),
        Ok(Err(error)) => tracing::error!(error = crate::log::chain(&error), "{KEPT}"),
        Err(error) => tracing::error!(%error, "{KEPT}"),
    }
    None
}

fn swap_in(host: &Host, catalogue: Catalogue, known: &Catalogue) {
    report(&catalogue, known);
    let catalogue = Arc::new(catalogue);
    host.metrics.series.serve(&catalogue);
    host.catalogue.store(Arc::clone(&catalogue));
    // Behind that: a request in between would bring the old edition back.
    host.executors.retain(&catalogue);
    host.metrics.reloads.inc();
}

/// Logs what is served and, of what isn't, all that isn't wrong with `known` too.
pub fn report(catalogue: &Catalogue, known: &Catalogue) {
    let known: Vec<String> = known.refusals().iter().map(ToString::to_string).collect();
    for refusal in catalogue.refusals() {
        let sentence = refusal.to_string();
        if !known.contains(&sentence) {
            tracing::error!("not served: {}", crate::log::harmless(sentence.as_bytes()));
        }
    }
    let names: Vec<String> = catalogue.functions().map(|function| function.name()).collect();
    tracing::info!(
        functions = names.len(),
        refused = catalogue.refusals().len(),
        "serving {}",
        shorten(&names)
    );
}

/// The first few of many names.
fn shorten(names: &[String]) -> String {
    const SHOWN: usize = 20;
    match names {
        [] => "no function".to_owned(),
        [..] if names.len() <= SHOWN => names.join(", "),
        [..] => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}
