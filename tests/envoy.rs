//! The real Envoy in front of real hosts, with the configuration of `examples/envoy`.

mod deadline;
mod drain;
mod outlier;
mod retry;
mod smallest;
mod upload;

use crate::harness::{AUTHOR, Envoy, Host, Site};
use serde_json::json;
use std::collections::BTreeSet;

/// Two hosts that serve what `install` puts into their sites. `install` gets the host's name, `a` or `b`.
fn two_hosts(flags: &[&str], install: impl Fn(&Site, &str)) -> [Host; 2] {
    let site = |name| {
        let site = Site::new();
        install(&site, name);
        site
    };
    // The first host already holds the machine's lock for this test.
    let second = |command: &mut std::process::Command| {
        command.args(flags);
    };
    [Host::with_flags(site("a"), flags), Host::without_machine(site("b"), second)]
}

/// Two hosts with the same function, which answers with the name of its host.
fn hosts_of_author(flags: &[&str]) -> [Host; 2] {
    two_hosts(flags, |site, name| {
        let routes = json!([{"path": "/env", "method": "GET"}]);
        let manifest = json!({"execution": "fork", "spare": 4, "env": {"HOST": name}, "routes": routes});
        site.install("author@v1", AUTHOR, manifest);
    })
}

#[test]
fn envoy_routes_to_every_host() {
    let [a, b] = hosts_of_author(&[]);
    let Some(envoy) = Envoy::before(&[&a, &b]) else { return };
    let answers: BTreeSet<String> = (0..10).map(|_| envoy.get("/env").text()).collect();
    assert_eq!(answers, BTreeSet::from(["HOST=a".to_owned(), "HOST=b".to_owned()]));
}

#[test]
fn envoy_passes_the_hosts_answers_unchanged() {
    let [a, b] = hosts_of_author(&[]);
    let Some(envoy) = Envoy::before(&[&a, &b]) else { return };
    assert_eq!(envoy.get("/nothing").outcome(), (404, "not_found"));
    assert_eq!(envoy.client("POST", "/env").send().outcome(), (405, "method_not_allowed"));
    assert_eq!(envoy.get("/rpc/author/panic").outcome(), (500, "function_panicked"));
    let answer = envoy.client("GET", "/env").header("x-request-id", "mine").send();
    assert!(answer.header("x-request-id").is_some_and(|id| id != "mine"), "Envoy makes the id at the edge");
}

#[test]
fn a_client_can_set_neither_its_address_nor_a_timeout() {
    let [a, b] = hosts_of_author(&["--trust-proxy", "true"]);
    let Some(envoy) = Envoy::before(&[&a, &b]) else { return };
    let client = envoy.client("GET", "/rpc/author/request").header("x-envoy-external-address", "192.0.2.7");
    let text = client.header("x-envoy-expected-rq-timeout-ms", "60000").send().text();
    assert!(text.contains("client_ip 127.0.0.1"), "{text}");
    assert!(text.contains("x-envoy-expected-rq-timeout-ms: 35000"), "{text}");
}
