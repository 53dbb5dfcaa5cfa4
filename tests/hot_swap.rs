//! Releases of trusted code replaced one after the other, under load: no request fails, and what a replaced release leaves
//! behind is known.

use crate::harness::{Connection, Host, Site, resident_kib, wait_for};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Answers with the release that it is.
const RELEASE: &str = r#"
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include "fezz.h"
    FezzOwned fezz_handle_v2(FezzSlice request) {
        char *out = malloc(64);
        memcpy(out, "\xa2\x66status\x18\xc8\x64" "body\x44" RELEASE, 20);
        return (FezzOwned){(uint8_t *)out, 20};
    }
    void fezz_free_v2(FezzOwned buffer) { free(buffer.ptr); }
"#;

const CLIENTS: usize = 4;

#[test]
fn releases_replaced_under_load_fail_no_request_and_unload_what_may_be() {
    replaced_under_load(12, true);
}

#[test]
fn releases_that_stay_mapped_are_replaced_under_load_without_a_failed_request() {
    replaced_under_load(12, false);
}

#[test]
#[ignore = "takes minutes: `make soak`"]
fn endurance_of_a_thousand_releases() {
    replaced_under_load(1000, true);
    replaced_under_load(1000, false);
}

/// Installs `releases` one after the other, while clients send requests without a pause.
fn replaced_under_load(releases: usize, unload: bool) {
    let host = Host::with_flags(Site::new(), &["--allow-in-process"]);
    let deploy = |release: usize| {
        let text = format!("{release:04}");
        let source = RELEASE.replace(" RELEASE", &format!(" \"{text}\""));
        host.site.install_c("f@v1", &source, json!({"execution": "in-process", "unload": unload}));
        wait_for("the release", || (host.get("/rpc/f").text() == text).then_some(()));
    };
    deploy(0);
    let (is_over, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
    let before_kib = resident_kib(&host);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Connection::new(host.address);
                while !is_over.load(Ordering::Relaxed) {
                    let answer = client.get("/rpc/f");
                    assert_eq!((answer.status, answer.body.len()), (200, 4), "{}", answer.text());
                    requests.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        (1..=releases).for_each(&deploy);
        is_over.store(true, Ordering::Relaxed);
    });
    let mapped = if unload { 1.0 } else { 1.0 + releases as f64 };
    wait_for("the end of the last replaced release", || {
        (host.metric("fezz_modules_mapped") == mapped).then_some(())
    });
    // Requests that began before a release was replaced load it no second time.
    assert_eq!(host.metric("fezz_module_loads_total"), 1.0 + releases as f64);
    let grown_kib = resident_kib(&host).saturating_sub(before_kib);
    println!(
        "{releases} releases, unload {unload}: {requests:?} requests, none failed; {:.1} KiB for each replaced release",
        grown_kib as f64 / releases as f64
    );
}
