//! Builds a new catalogue when the source changes, or when an operator asks for it.

use crate::catalogue::Catalogue;
use crate::host::Host;
use crate::source::Source;
use std::sync::Arc;

/// Builds a catalogue from each snapshot of `source`, for ever.
pub async fn follow(host: Arc<Host>, mut source: Box<dyn Source>) {
    loop {
        let is_asked_for = tokio::select! {
            () = host.asked_for_reload() => true,
            () = source.changed() => false,
        };
        let snapshot = match source.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::error!(
                    error = crate::log::chain(&*error),
                    "reload failed; the previous functions are still served"
                );
                continue;
            }
        };
        let previous = host.catalogue.load_full();
        // If an operator asks, every problem is logged, known ones too.
        let known = if is_asked_for { Arc::default() } else { Arc::clone(&previous) };
        swap_in(&host, Catalogue::build(snapshot, &previous), &known);
    }
}

fn swap_in(host: &Host, catalogue: Catalogue, known: &Catalogue) {
    report(&catalogue, known);
    let catalogue = Arc::new(catalogue);
    host.metrics.series.serve(&catalogue);
    host.catalogue.store(Arc::clone(&catalogue));
    // After the swap: before it, a request could bring the old release's pool back.
    host.executors.retain(&catalogue);
    host.metrics.reloads.inc();
}

/// Logs the functions served, and the rejected releases that `known` doesn't have with the same reason.
pub fn report(catalogue: &Catalogue, known: &Catalogue) {
    let known: Vec<String> = known.rejected().iter().map(ToString::to_string).collect();
    for refusal in catalogue.rejected() {
        let sentence = refusal.to_string();
        if !known.contains(&sentence) {
            tracing::error!("not served: {}", crate::log::harmless(sentence.as_bytes()));
        }
    }
    let names: Vec<String> = catalogue.functions().map(|function| function.name()).collect();
    tracing::info!(
        functions = names.len(),
        refused = catalogue.rejected().len(),
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
