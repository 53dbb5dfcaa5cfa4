//! Workers that are replaced: their successors are ready before they end.

use crate::harness::{Connection, Host, many, wait_for};
use crate::worker::{ends, get, host_of, install, metric, starts};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a slow start takes, and what a request may take at most to show that it hasn't waited for one. This machine may
/// be busy, so both are long.
const SLOW_MS: u64 = 4000;
const NO_START: Duration = Duration::from_millis(2000);

/// The manifest of a release whose workers start slowly; `number` makes it differ from others.
fn slow(number: u32) -> Value {
    json!({"worker": {"max": 2}, "routes": [{"path": "/w"}],
        "env": {"START": "slow", "START_MS": SLOW_MS.to_string(), "RELEASE": number.to_string()}})
}

fn reloads(host: &Host) -> f64 {
    host.metric("fezz_reloads_total")
}

/// Runs `work` under load, and returns the time of the slowest request; all are answered.
fn slowest(host: &Host, path: &str, work: impl FnOnce()) -> Duration {
    let is_over = AtomicBool::new(false);
    let client = || {
        let (mut slowest, mut connection) = (Duration::ZERO, Connection::new(host.address));
        while !is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            assert_eq!(connection.get(path).outcome(), (200, ""));
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        let end = EndLoad(&is_over);
        work();
        drop(end);
        clients.into_iter().map(|client| client.join().unwrap()).max().unwrap()
    })
}

/// Ends the clients also if the work panics: they would go on for ever.
struct EndLoad<'a>(&'a AtomicBool);

impl Drop for EndLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_request_waits_for_the_workers_of_a_new_release() {
    let host = host_of(slow(0));
    get(&host, "count");
    let slowest = slowest(&host, "/rpc/w/sleep?ms=5", || {
        for release in 1..=2 {
            let (retired, before) = (ends(&host, "retired"), reloads(&host));
            install(&host.site, "w@v1", slow(release));
            wait_for("the reload", || (reloads(&host) > before).then_some(()));
            wait_for("the end of the old workers", || (ends(&host, "retired") > retired).then_some(()));
        }
    });
    println!("the slowest request took {slowest:?}, a start {SLOW_MS} ms");
    assert!(slowest < NO_START, "{slowest:?}");
}

#[test]
fn no_request_waits_for_the_workers_of_a_new_version() {
    let host = host_of(slow(1));
    get(&host, "count");
    let version = || host.get("/rpc/w/release").text();
    let slowest = slowest(&host, "/rpc/w/sleep?ms=5", || {
        install(&host.site, "w@v2", slow(2));
        wait_for("the new version", || (version() == "2").then_some(()));
        // Back again: the workers of the old version have ended meanwhile.
        wait_for("the end of the old workers", || (ends(&host, "idle") > 0.0).then_some(()));
        std::fs::remove_dir_all(host.site.function("w@v2")).unwrap();
        wait_for("the old version", || (version() == "1").then_some(()));
    });
    println!("the slowest request took {slowest:?}, a start {SLOW_MS} ms");
    assert!(slowest < NO_START, "{slowest:?}");
}

#[test]
fn the_first_workers_of_a_new_release_are_as_many_as_it_keeps_or_as_the_old_one_has() {
    for (min, old) in [(3, 1), (0, 2)] {
        let manifest = |number: u32| {
            let mut manifest = slow(number);
            manifest["worker"] = json!({"min": min * number, "max": 4});
            manifest
        };
        let host = host_of(manifest(0));
        let clients = vec!["/rpc/w/sleep?ms=1000"; old];
        many(host.address, clients[0], clients.len());
        let before = reloads(&host);
        install(&host.site, "w@v1", manifest(1));
        wait_for("the reload", || (reloads(&host) > before).then_some(()));
        let idle = metric(&host, "workers", r#",state="idle""#);
        assert_eq!(idle, f64::from(min.max(old as u32)));
    }
}

#[test]
fn a_release_whose_workers_cannot_start_is_not_served_and_the_previous_one_is() {
    let host = host_of(json!({"worker": {"min": 1}}));
    get(&host, "count");
    let release = |start: &str| json!({"worker": {"min": 1}, "env": {"START": start}});
    slowest(&host, "/rpc/w/count", || {
        install(&host.site, "w@v1", release("exits"));
        let line = host.logged("the rejection", |line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("not served"))
        });
        let text = line["message"].as_str().unwrap();
        assert!(text.contains("no database") && text.contains("previous release is still served"), "{text}");
        assert_eq!(host.metric("fezz_functions_refused"), 1.0);
        install(&host.site, "w@v1", release(""));
        wait_for("the repaired release", || (host.metric("fezz_functions_refused") == 0.0).then_some(()));
    });
    wait_for("the end of the old workers", || (ends(&host, "retired") >= 1.0).then_some(()));
}

#[test]
fn a_release_whose_workers_need_longer_takes_over_when_they_are_ready() {
    let host = host_of(json!({"routes": [{"path": "/w"}]}));
    get(&host, "count");
    let mut late = slow(2);
    late["env"]["START_MS"] = "14000".into();
    let slowest = slowest(&host, "/rpc/w/sleep?ms=5", || {
        install(&host.site, "w@v2", late);
        // Others don't wait for it.
        install(&host.site, "other@v1", json!({}));
        wait_for("another function", || (host.get("/rpc/other/count").status == 200).then_some(()));
        host.logged("the rejection", |line| {
            line["message"].as_str().is_some_and(|text| text.contains("weren't ready within 10 s"))
        });
        wait_for("the new release", || (host.get("/rpc/w/release").text() == "2").then_some(()));
    });
    assert!(slowest < NO_START, "{slowest:?}");
    assert_eq!(host.metric("fezz_functions_refused"), 0.0);
}

#[test]
fn a_release_that_is_removed_before_it_was_ready_leaves_no_worker() {
    let host = host_of(json!({"worker": {"min": 1}}));
    get(&host, "count");
    install(&host.site, "w@v2", json!({"worker": {"min": 1}, "env": {"START": "exits"}}));
    host.logged("the rejection", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("not served"))
    });
    std::fs::remove_dir_all(host.site.function("w@v2")).unwrap();
    wait_for("the end of the attempt", || (host.metric("fezz_functions_refused") == 0.0).then_some(()));
    assert_eq!((get(&host, "count").text().as_str(), starts(&host)), ("2", 1.0));
}

#[test]
fn no_request_waits_for_the_successor_of_a_worker() {
    for (limit, least, reason) in [("max_requests", 100, "max_requests"), ("max_age_ms", 1000, "max_age")] {
        let mut manifest = slow(0);
        manifest["worker"] = json!({"max": 2, limit: least});
        let host = host_of(manifest);
        get(&host, "count");
        let slowest = slowest(&host, "/rpc/w/sleep?ms=5", || {
            wait_for(reason, || (ends(&host, reason) >= 1.0).then_some(()));
        });
        println!("{reason}: the slowest request took {slowest:?}, a start {SLOW_MS} ms");
        assert!(slowest < NO_START, "{reason}: {slowest:?}");
    }
}
