//! Which requests Envoy retries on another host.

use super::two_hosts;
use crate::harness::{AUTHOR, Envoy, HARMFUL, Host, many, wait_for};
use serde_json::json;

/// The number of requests that a host answered with this kind of error.
fn count(host: &Host, kind: &str) -> usize {
    host.log().iter().filter(|line| line["kind"] == kind).count()
}

/// Two hosts with a function that loads on `b` alone.
fn hosts_of_a_broken_module(execution: &str) -> [Host; 2] {
    two_hosts(&[], |site, name| {
        let harm = if name == "a" { "refuses_to_load" } else { "answers_well" };
        site.install("f@v1", HARMFUL, json!({"execution": execution, "env": {"HARM": harm}}));
    })
}

#[test]
fn a_request_whose_module_does_not_load_on_one_host_is_answered_by_the_other() {
    for execution in ["fork", "spawn"] {
        let [a, b] = hosts_of_a_broken_module(execution);
        let Some(envoy) = Envoy::before(&[&a, &b]) else { return };
        for answer in many(envoy.address, "/rpc/f", 100) {
            assert_eq!((answer.status, answer.text().as_str()), (200, "well"), "{execution}");
        }
        assert_eq!(envoy.client("POST", "/rpc/f").body(vec![b'x'; 100_000]).send().status, 200);
        wait_for("many that came to the broken one first", || {
            (count(&a, "module_failed") >= 40).then_some(())
        });
    }
}

#[test]
fn a_request_that_one_host_refuses_as_overloaded_is_answered_by_the_other() {
    let [a, b] = two_hosts(&[], |site, name| {
        let limits = json!({"concurrency": if name == "a" { 1 } else { 64 }, "queue": 0});
        site.install("author@v1", AUTHOR, json!({"limits": limits}));
    });
    let Some(envoy) = Envoy::before(&[&a, &b]) else { return };
    let taken = a.client("GET", "/rpc/author/sleep?ms=60000").begin();
    a.logged("the request that takes the permit", |line| line["line"] == "sleeping");
    for _ in 0..10 {
        assert_eq!(envoy.get("/rpc/author/pid").status, 200);
    }
    wait_for("some that came to the full one first", || (count(&a, "overloaded") >= 4).then_some(()));
    drop(taken);
}

/// Checks that each request is answered with this error and reaches only one host.
fn check_not_retried([a, b]: [&Host; 2], path: &str, outcome: (u16, &str)) {
    const REQUESTS: usize = 10;
    let Some(envoy) = Envoy::before(&[a, b]) else { return };
    for _ in 0..REQUESTS {
        assert_eq!(envoy.client("POST", path).body(vec![b'x'; 600_000]).send().outcome(), outcome);
    }
    wait_for("a line for each", || (count(a, outcome.1) + count(b, outcome.1) >= REQUESTS).then_some(()));
    assert_eq!((envoy.stat("upstream_rq_retry"), envoy.stat("upstream_rq_total")), (0, REQUESTS as u64));
}

#[test]
fn a_function_that_crashed_is_not_run_again() {
    let [a, b] = two_hosts(&[], |site, _| {
        site.harm("segfaults", json!({}));
    });
    check_not_retried([&a, &b], "/rpc/segfaults", (502, "function_crashed"));
}

#[test]
fn a_function_whose_response_was_dropped_is_not_run_again() {
    let [a, b] = two_hosts(&["--response-memory-bytes", "1048576"], |site, _| {
        site.install("author@v1", AUTHOR, json!({}));
    });
    check_not_retried([&a, &b], "/rpc/author", (503, "response_dropped"));
}
