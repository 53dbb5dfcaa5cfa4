//! Builds the catalogue: at the start, when the source changes, and when an operator asks for it. A release that replaces
//! another one is served when its processes are ready (`readiness`).

mod readiness;

use crate::catalogue::{Catalogue, Function};
use crate::host::Host;
use crate::source::{Snapshot, Source, SourceError};
use std::sync::Arc;

/// Serves the first snapshot.
pub(crate) fn begin(host: &Host, snapshot: Snapshot) {
    let none = Catalogue::default();
    let catalogue = build(host, snapshot, &none);
    report_rejected(&catalogue, &none);
    report_served(host, &catalogue, false);
    serve(host, &catalogue);
    host.catalogue.store(Arc::new(catalogue));
}

/// Builds a catalogue from each snapshot of `source`, for ever.
pub(crate) async fn follow(host: Arc<Host>, mut source: Box<dyn Source>) {
    loop {
        let is_asked_for = tokio::select! {
            () = host.asked_for_reload() => true,
            () = source.changed() => false,
            () = readiness::of_a_candidate(&host) => false,
        };
        let mut snapshot = match source.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                report_failure(&host, &error);
                continue;
            }
        };
        let failures = std::mem::take(&mut snapshot.failures);
        failures.iter().for_each(|failure| report_failure(&host, failure));
        let previous = host.catalogue.load_full();
        // If an operator asks, every problem is logged, known ones too.
        let known = if is_asked_for { Arc::default() } else { Arc::clone(&previous) };
        let mut catalogue = build(&host, snapshot, &previous);
        readiness::wait(&host, &mut catalogue, &previous).await;
        let catalogue = Arc::new(catalogue);
        swap_in(&host, &catalogue, &previous);
        // Only now is it true.
        report_rejected(&catalogue, &known);
        // What else has changed is served also after a failure, but that reload hasn't succeeded.
        if failures.is_empty() {
            host.metrics.reload_failed.set(0);
            host.metrics.reloads.inc();
            report_served(&host, &catalogue, is_asked_for);
        }
    }
}

fn build(host: &Host, snapshot: Snapshot, previous: &Catalogue) -> Catalogue {
    Catalogue::build(snapshot, previous, &host.homes, &|release| host.executors.check(release))
}

/// Has each function keep what its manifest says.
fn serve(host: &Host, catalogue: &Catalogue) {
    for function in catalogue.functions() {
        function.resize_home();
        host.executors.serve(function);
    }
}

fn swap_in(host: &Host, catalogue: &Arc<Catalogue>, previous: &Catalogue) {
    host.catalogue.store(Arc::clone(catalogue));
    // After the swap, and in this order: a request that began before can still make a pool of the old release.
    catalogue.retire(previous);
    serve(host, catalogue);
    host.executors.retain();
    catalogue.close_homes(previous);
}

/// A source, or a part of it, can't be read.
fn report_failure(host: &Host, error: &SourceError) {
    host.metrics.reload_failed.set(1);
    tracing::error!(
        error = crate::log::chain(&**error),
        "reload failed; the previous functions are still served"
    );
}

/// Logs the rejected releases that `known` doesn't have with the same reason.
fn report_rejected(catalogue: &Catalogue, known: &Catalogue) {
    let known: Vec<String> = known.rejected().iter().map(ToString::to_string).collect();
    for rejected in catalogue.rejected() {
        let sentence = rejected.to_string();
        if !known.contains(&sentence) {
            tracing::error!("not served: {}", crate::log::harmless(sentence.as_bytes()));
        }
    }
}

/// Logs the functions served and those of them that nothing confines; and whether an operator has asked for it: a tool then
/// knows the answer to its own signal.
fn report_served(host: &Host, catalogue: &Catalogue, asked_for: bool) {
    let names: Vec<String> = catalogue.functions().map(|function| function.name()).collect();
    tracing::info!(
        functions = names.len(),
        refused = catalogue.rejected().len(),
        asked_for,
        "serving {}",
        shorten(&names)
    );
    let is_in_process = |function: &&Arc<Function>| host.executors.is_in_process(&function.release);
    let unconfined: Vec<String> =
        catalogue.functions().filter(is_in_process).map(|function| function.name()).collect();
    if !unconfined.is_empty() {
        tracing::warn!("in the host's own process, without a jail: {}", shorten(&unconfined));
    }
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
