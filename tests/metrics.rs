//! `/_metrics` of functions that are installed and removed.

use crate::harness::{AUTHOR, HARMFUL, Host, Site, wait_for};
use serde_json::json;
use std::process::Command;

/// Lines that name a function.
fn lines_of(host: &Host, function: &str) -> usize {
    let label = format!("function=\"{function}\"");
    host.get("/_metrics").text().lines().filter(|line| line.contains(&label)).count()
}

fn lines(host: &Host) -> usize {
    host.get("/_metrics").text().lines().count()
}

fn install(site: &Site, version: usize) {
    site.install(&format!("f@v{version}"), AUTHOR, json!({"limits": {"request_body_bytes": 1}}));
}

/// Replaces the installed version by another one.
fn deploy(host: &Host, version: usize) {
    install(&host.site, version);
    let before = format!("f@v{}", version - 1);
    call(host, version);
    std::fs::remove_dir_all(host.site.function(&before)).unwrap();
    wait_for("the end of its series", || (lines_of(host, &before) == 0).then_some(()));
}

/// Waits for a version and calls it in three ways, which make three series.
fn call(host: &Host, version: usize) {
    wait_for("the version", || (host.get(&format!("/rpc/f@v{version}/pid")).status == 200).then_some(()));
    let path = format!("/rpc/f@v{version}/panic");
    assert_eq!(host.get(&path).outcome(), (500, "function_panicked"));
    assert_eq!(host.client("POST", &path).body("too large").send().outcome(), (413, "body_too_large"));
}

#[test]
fn deployments_leave_no_series_of_removed_versions() {
    const DEPLOYMENTS: usize = 40;
    let site = Site::new();
    install(&site, 0);
    let host = Host::start(site);
    // A request before its function is installed belongs to no function: that series stays.
    assert_eq!(host.get("/rpc/f@v1/pid").status, 404);
    call(&host, 0);
    let before = lines(&host);
    for version in 1..=DEPLOYMENTS {
        deploy(&host, version);
    }
    assert_eq!(lines(&host), before);
}

#[test]
fn the_series_of_a_removed_version_are_dropped_after_its_last_request() {
    let site = Site::new();
    site.install("f@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    assert_eq!(host.get("/rpc/f@v1/pid").status, 200);
    let running = host.client("GET", "/rpc/f@v1/sleep?ms=20000").begin();
    host.logged("the function's start", |line| line["line"] == "sleeping");
    std::fs::remove_dir_all(host.site.function("f@v1")).unwrap();
    wait_for("the function's end", || (host.get("/rpc/f").status == 404).then_some(()));
    assert!(host.metric("fezz_requests_total{function=\"f@v1\",status=\"200\",kind=\"\"}") >= 1.0);
    drop(running);
    wait_for("the end of its series", || (lines_of(&host, "f@v1") == 0).then_some(()));
}

/// A series with a label for the digest of a function's module, as sha256sum(1) prints it.
fn info(module: &std::path::Path) -> String {
    let printed = Command::new("sha256sum").arg(module).output().unwrap().stdout;
    let digest = String::from_utf8(printed).unwrap();
    format!("fezz_function_info{{function=\"f@v1\",digest=\"{}\"}} 1\n", &digest[..64])
}

#[test]
fn the_metrics_have_the_digest_of_the_module_that_is_served() {
    let site = Site::new();
    site.install("f@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let module = |name| host.site.function("f@v1").join(name);
    let first = info(&module(AUTHOR));
    assert!(host.get("/_metrics").text().contains(&first), "{first}");
    host.site.install("f@v1", HARMFUL, json!({}));
    let second = info(&module(HARMFUL));
    wait_for("the second", || host.get("/_metrics").text().contains(&second).then_some(()));
    assert!(!host.get("/_metrics").text().contains(&first));
}

#[test]
fn a_new_release_of_a_version_keeps_its_counters() {
    let site = Site::new();
    site.install("f@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let requests = || host.metric("fezz_requests_total{function=\"f@v1\",status=\"200\",kind=\"\"}");
    assert_eq!(host.get("/rpc/f@v1/pid").status, 200);
    let reloads = host.metric("fezz_reloads_total");
    host.site.install("f@v1", AUTHOR, json!({"env": {"LOG": "info"}}));
    wait_for("the new release", || (host.metric("fezz_reloads_total") > reloads).then_some(()));
    wait_for("its variable", || (host.get("/rpc/f@v1/env").text() == "LOG=info").then_some(()));
    assert!(requests() >= 2.0, "{}", requests());
}
