//! A thousand requests, harmful and healthy, leave no resource behind.

use crate::harness::{Client, Host, Leftovers, Site, alone, resident_kib};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

const REQUESTS: usize = 1000;
const CONCURRENCY: usize = 16;

/// Name, status and kind of functions that end quickly.
const MIX: [(&str, u16, &str); 12] = [
    ("answers_well", 200, ""),
    ("segfaults", 502, "function_crashed"),
    ("answers_well", 200, ""),
    ("exits_0_without_answering", 502, "function_crashed"),
    ("answers_well", 200, ""),
    ("returns_garbage", 502, "invalid_response"),
    ("forks_a_child_that_keeps_stdout_open", 200, ""),
    ("sleeps_for_ever", 504, "deadline_exceeded"),
    ("leaves_a_daemon_behind", 200, ""),
    ("returns_a_giant_response", 502, "invalid_response"),
    ("leaks_descriptors", 200, ""),
    ("aborts", 502, "function_crashed"),
];

#[test]
fn a_thousand_mixed_requests_leave_no_process_no_descriptor_no_permit_and_no_memory() {
    let _machine = alone();
    let site = Site::new();
    for (harm, ..) in MIX {
        let timeout_ms = if harm == "sleeps_for_ever" { 100 } else { 20_000 };
        let limits = json!({"response_body_bytes": 1 << 20, "queue": 1000});
        site.harm(harm, json!({"timeout_ms": timeout_ms, "limits": limits}));
    }
    let host = Host::without_machine(site, |_| {});
    // One round before counting: allocators and pools keep some memory.
    round(&host, REQUESTS / 4);
    let (before, before_kib) = (Leftovers::settled(&host), resident_kib(&host));
    round(&host, REQUESTS);
    Leftovers::wait_for_no_more_than(&before, &host);

    for (harm, ..) in MIX {
        assert_eq!(host.metric(&format!("fezz_processes{{function=\"{harm}@v1\"}}")), 0.0, "{harm}");
        assert_eq!(host.metric(&format!("fezz_queued{{function=\"{harm}@v1\"}}")), 0.0, "{harm}");
    }
    const GROWTH_KIB_MAX: usize = 8 * 1024;
    let after_kib = resident_kib(&host);
    assert!(after_kib < before_kib + GROWTH_KIB_MAX, "{before_kib} KiB became {after_kib} KiB");
}

fn round(host: &Host, requests: usize) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENCY {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= requests {
                        return;
                    }
                    let (harm, status, kind) = MIX[index % MIX.len()];
                    let answer = Client::new(host.address, "GET", &format!("/rpc/{harm}")).send();
                    assert_eq!(answer.outcome(), (status, kind), "{harm}: {}", answer.text());
                }
            });
        }
    });
}
