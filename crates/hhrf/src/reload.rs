//! The catalogue follows its source: a new one is built when that changes, or when it is asked for.

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
                    "not reloaded, the functions stay as they were read"
                );
                continue;
            }
        };
        let previous = host.catalogue.load_full();
        // An operator who asks wants to hear everything that is wrong, again.
        let known = if is_asked_for { Arc::default() } else { Arc::clone(&previous) };
        swap_in(&host, Catalogue::build(snapshot, &previous), &known);
    }
}

fn swap_in(host: &Host, catalogue: Catalogue, known: &Catalogue) {
    report(&catalogue, known);
    let catalogue = Arc::new(catalogue);
    host.metrics.series.serve(&catalogue);
    host.catalogue.store(Arc::clone(&catalogue));
    // Behind that: a request in between would bring the old release's pool back.
    host.executors.retain(&catalogue);
    host.metrics.reloads.inc();
}
/// Logs what is served and, of what isn't, all that isn't wrong with `known` too.
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
