//! Tables that are written by hand, against what there is.

use super::markdown::{Page, repository};
use crate::harness::{AUTHOR, HARMFUL, Host, Site, wait_for};
use fezz_wire::ExitCode;
use serde_json::json;
use std::collections::BTreeMap;

/// Metrics by name: their type and labels.
type Metrics = BTreeMap<String, (String, String)>;

#[test]
fn the_metrics_page_has_every_metric_and_label_of_a_running_host() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    site.install("crashes@v1", HARMFUL, json!({"env": {"HARM": "segfaults"}, "execution": "fork"}));
    site.install("kept@v1", AUTHOR, json!({"execution": "in-process"}));
    let once = json!({"execution": "worker", "worker": {"max_requests": 1}});
    site.install("worker@v1", AUTHOR, once);
    site.install_c("rewound@v1", HANDLES_SIGNALS, json!({"execution": "rewind", "spare": 1}));
    let host =
        Host::with_flags(site, &["--per-core", "--allow-in-process=kept", "--in-process-idle-ms", "1"]);
    assert_eq!(host.get("/rpc/worker/pid").status, 200);
    wait_for("the worker's end", || {
        host.get("/_metrics").text().contains("fezz_worker_ends_total{").then_some(())
    });
    assert_eq!(host.get("/rpc/author/pid").status, 200);
    assert_eq!(host.get("/rpc/kept/pid").status, 200);
    wait_for("the fallback", || {
        host.get("/rpc/rewound");
        host.get("/_metrics").text().contains("fezz_rewind_fallbacks_total{").then_some(())
    });
    let evicted = r#"fezz_module_unloads_total{reason="idle",result="kept"}"#;
    wait_for("the eviction", || host.get("/_metrics").text().contains(evicted).then_some(()));
    wait_for("the pause", || (host.get("/rpc/crashes").status == 503).then_some(()));
    let printed = printed(&host.get("/_metrics").text());
    let written = Page::read("docs/metrics.md").rows("metric").into_iter().map(|row| {
        let [name, kind, labels] = [0, 1, 2].map(|column| row[column].clone());
        (name, (kind, labels))
    });
    assert_eq!(printed, written.collect::<Metrics>());
}

/// No process of this module is put back to a snapshot: its handlers could run between two requests.
const HANDLES_SIGNALS: &str = r#"
    #include <signal.h>
    #include "fezz.h"
    static void handle(int number) { (void)number; }
    FezzOwned fezz_on_load_v2(FezzSlice context) {
        (void)context;
        signal(SIGTRAP, handle);
        return (FezzOwned){0, 0};
    }
    FezzOwned fezz_handle_v2(FezzSlice request) {
        (void)request;
        static uint8_t answer[] = "\xa1\x66status\x18\xc8";
        return (FezzOwned){answer, sizeof answer - 1};
    }
    void fezz_free_v2(FezzOwned buffer) { (void)buffer; }
"#;

/// What `/_metrics` prints, in the OpenMetrics text format.
fn printed(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            metrics.insert(format!("{name}{suffix}"), (kind.to_owned(), String::new()));
        }
        if let Some((name, rest)) = line.split_once('{') {
            let labels =
                rest.split_once('}').unwrap().0.split("\",").map(|label| label.split_once('=').unwrap().0);
            let labels = labels.filter(|label| *label != "le").collect::<Vec<_>>().join(", ");
            let name = name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            metrics.get_mut(name).unwrap().1 = labels;
        }
    }
    metrics
}

#[test]
fn the_errors_page_has_every_kind_that_the_host_answers_with() {
    let written = Page::read("docs/errors.md").rows("kind").into_iter();
    let mut written: Vec<(String, String)> = written.map(|row| (row[0].clone(), row[1].clone())).collect();
    written.sort();
    assert_eq!(written, kinds());
}

/// Kinds and statuses, as `problem.rs` has them: `kind(S::NOT_FOUND, "not_found", "...")`, over one line or two.
fn kinds() -> Vec<(String, String)> {
    let source = std::fs::read_to_string(repository("crates/hhrf/src/problem.rs")).unwrap();
    let shipped = source.split("#[cfg(test)]").next().unwrap();
    let calls = shipped.split("kind(").skip(1).filter_map(|call| {
        let (status, rest) = call.trim_start().strip_prefix('S')?.split_once(',')?;
        let name = status.rsplit("::").next().unwrap();
        Some((rest.split('"').nth(1)?.to_owned(), number_of(name)))
    });
    let mut kinds: Vec<_> = calls.collect();
    kinds.sort();
    kinds.dedup();
    assert!(kinds.len() > 15, "problem.rs isn't written as this test reads it: {kinds:?}");
    kinds
}

fn number_of(name: &str) -> String {
    let is_it = |status: &hyper::StatusCode| {
        let reason = status.canonical_reason().unwrap_or_default();
        reason.to_uppercase().replace([' ', '-'], "_") == name
    };
    let status = (100..600).filter_map(|number| hyper::StatusCode::from_u16(number).ok()).find(is_it);
    status.unwrap_or_else(|| panic!("{name} is no status")).as_u16().to_string()
}

#[test]
fn the_kinds_that_are_safe_to_retry_are_those_that_the_shipped_envoy_retries() {
    let envoy = std::fs::read_to_string(repository("examples/envoy/envoy.yaml")).unwrap();
    for row in Page::read("docs/errors.md").rows("kind") {
        let is_retried =
            envoy.contains(&format!("{{ name: fezz-error, string_match: {{ exact: {} }} }}", row[0]));
        assert_eq!(row[2].starts_with("yes"), is_retried, "{}", row[0]);
    }
}

#[test]
fn the_wire_page_has_every_exit_code() {
    let rows = Page::read("docs/wire.md").rows("exit status");
    let written: Vec<(i32, bool)> =
        rows.iter().map(|row| (row[0].parse().unwrap(), row[2] == "no")).collect();
    let codes =
        (0..=255).filter_map(|status| Some((status, ExitCode::from_status(status)?.is_before_the_module())));
    assert_eq!(written, codes.collect::<Vec<_>>());
}
