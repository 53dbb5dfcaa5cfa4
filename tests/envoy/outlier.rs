//! Which hosts Envoy's outlier detection ejects between two health checks.

use super::two_hosts;
use crate::harness::{AUTHOR, Envoy, Host, many, wait_for};
use rustix::process::Signal;
use serde_json::json;

/// An interval of health checks so long that each test sees only the first check.
const RARE_CHECKS: [(&str, &str); 2] =
    [(" interval: 1s\n", " interval: 600s\n"), ("no_traffic_interval: 1s", "no_traffic_interval: 600s")];

fn hosts() -> [Host; 2] {
    two_hosts(&[], |site, _| {
        site.install("author@v1", AUTHOR, json!({"execution": "fork"}));
        site.harm("segfaults", json!({"execution": "fork"}));
        site.harm("sleeps_for_ever", json!({"timeout_ms": 200}));
    })
}

#[test]
fn a_function_that_always_fails_takes_no_host_out() {
    let [a, b] = hosts();
    let Some(envoy) = Envoy::changed(&[&a, &b], &RARE_CHECKS) else { return };
    for (path, requests, status) in
        [("/rpc/segfaults", 100, 502), ("/rpc/author/panic", 100, 500), ("/rpc/sleeps_for_ever", 20, 504)]
    {
        assert!(many(envoy.address, path, requests).iter().all(|answer| answer.status == status), "{path}");
    }
    assert_eq!(envoy.stat("outlier_detection.ejections_enforced_total"), 0);
    assert_eq!(envoy.stat("membership_healthy"), 2);
}

#[test]
fn a_dead_host_is_taken_out_at_once_and_no_request_is_lost() {
    let [mut a, b] = hosts();
    let Some(envoy) = Envoy::changed(&[&a, &b], &RARE_CHECKS) else { return };
    assert!(many(envoy.address, "/rpc/author/pid", 20).iter().all(|answer| answer.status == 200));
    a.signal(Signal::KILL);
    a.ended();
    wait_for("the end of its connections", || (envoy.stat("upstream_cx_active") == 1).then_some(()));
    assert!(many(envoy.address, "/rpc/author/pid", 100).iter().all(|answer| answer.status == 200));
    assert_eq!(envoy.stat("outlier_detection.ejections_enforced_total"), 1);
    assert_eq!(envoy.stat("membership_healthy"), 1);
}

#[test]
fn without_requests_the_health_check_detects_a_dead_host() {
    let [mut a, b] = hosts();
    let Some(envoy) = Envoy::before(&[&a, &b]) else { return };
    a.signal(Signal::KILL);
    a.ended();
    wait_for("one healthy host", || (envoy.stat("membership_healthy") == 1).then_some(()));
}
