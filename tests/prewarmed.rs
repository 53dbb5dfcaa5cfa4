//! Prewarmed runners of the `spawn` executor: started, jailed and loaded before their request arrives.

use crate::harm::check_all;
use crate::harness::{
    AUTHOR, Answer, HARMFUL, Host, Leftovers, Site, TAKEOVER, alone, is_root, many, prewarmed_processes,
    wait_for,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

fn site_of(module: &str, more: Value) -> Site {
    let site = Site::new();
    site.install("prewarmed@v1", module, more);
    site
}

fn spare(host: &Host) -> f64 {
    host.metric(r#"fezz_spare_processes{function="prewarmed@v1"}"#)
}

fn lines(host: &Host, part: &str) -> usize {
    let has_part = |line: &&Value| {
        ["message", "line"].iter().any(|key| line[*key].as_str().is_some_and(|text| text.starts_with(part)))
    };
    host.log().iter().filter(has_part).count()
}

/// Runs `look` on hosts of every kind: jailed as root and as an ordinary user, in a wrapper, without a jail.
fn each_host(make: impl Fn() -> Site, look: impl Fn(Host)) {
    look(Host::start(make()));
    if is_root() {
        look(Host::unprivileged(make(), &[]));
    }
    Host::in_bwrap(make(), &[]).into_iter().for_each(&look);
    look(Host::with_flags(make(), &["--jail", "off"]));
}

/// The same clock as the module's `loaded_at_ns`.
fn now_ns() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos().try_into().unwrap()
}

fn loaded_at_ns(answer: &Answer) -> u64 {
    let text = answer.text();
    let fact = text.split(' ').find_map(|fact| fact.strip_prefix("loaded_at_ns="));
    fact.unwrap_or_else(|| panic!("no time in {text}")).parse().unwrap()
}

#[test]
fn a_prewarmed_runner_has_loaded_the_module_before_the_request_arrives() {
    each_host(
        || site_of(TAKEOVER, json!({"spare": 2})),
        |host| {
            host.get("/rpc/prewarmed/facts");
            for _ in 0..5 {
                wait_for("an idle runner", || (spare(&host) >= 1.0).then_some(()));
                // A runner counts as idle before it has loaded the module. The oldest idle runner gets the next request.
                let before = wait_for("a request served by a module that was already loaded", || {
                    let begun = now_ns();
                    let answer = host.get("/rpc/prewarmed/facts");
                    (loaded_at_ns(&answer) < begun).then_some(answer)
                });
                assert!(before.text().starts_with("loads=1 forks=0 requests=1 "), "{}", before.text());
            }
        },
    );
}

#[test]
fn each_runner_serves_one_request() {
    const REQUESTS: usize = 200;
    let host = Host::start(site_of(TAKEOVER, json!({"spare": 4})));
    let answers = many(host.address, "/rpc/prewarmed/facts", REQUESTS);
    let loads: HashSet<u64> = answers.iter().map(loaded_at_ns).collect();
    assert_eq!(loads.len(), REQUESTS, "each has loaded the module for itself");
    assert!(answers.iter().all(|answer| answer.text().starts_with("loads=1 forks=0 requests=1 modified=0 ")));
}

#[test]
fn each_harm_ends_the_same_with_and_without_prewarmed_runners() {
    let _machine = alone();
    let host = check_all(&json!({"spare": 2}), &[], &[], &[]);
    // The remaining children are idle. Runners that have served a request have ended.
    wait_for("only idle runners", || {
        let text = host.get("/_metrics").text();
        let waiting = text.lines().filter(|line| line.starts_with("fezz_spare_processes{"));
        let waiting: usize =
            waiting.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        (Leftovers::of(&host).children <= waiting).then_some(())
    });
}

#[test]
fn stderr_of_a_prewarmed_runner_is_logged_with_function_and_request() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 2})));
    for _ in 0..5 {
        let answer = host.get("/rpc/prewarmed/log");
        let request_id = answer.header("x-request-id").unwrap();
        host.logged("the line", |line| line["line"] == "first line" && line["request_id"] == request_id);
    }
}

#[test]
fn a_deadline_counts_from_the_request_and_not_from_the_start_of_its_runner() {
    const TIMEOUT_MS: u64 = 1000;
    let host = Host::start(site_of(AUTHOR, json!({"spare": 2, "timeout_ms": TIMEOUT_MS})));
    host.get("/rpc/prewarmed/pid");
    for _ in 0..3 {
        wait_for("an idle runner", || (spare(&host) >= 1.0).then_some(()));
        assert_eq!(host.get("/rpc/prewarmed/sleep?ms=600").text(), "slept");
    }
    let answer = host.get("/rpc/prewarmed/sleep?ms=60000");
    assert_eq!(answer.outcome(), (504, "deadline_exceeded"));
    assert!(answer.took >= Duration::from_millis(TIMEOUT_MS - 50), "{:?}", answer.took);
    assert!(answer.took < Duration::from_millis(2 * TIMEOUT_MS), "{:?}", answer.took);
}

#[test]
fn a_new_release_is_served_by_its_own_runners_and_the_old_ones_end() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4, "env": {"RELEASE": "old"}})));
    many(host.address, "/rpc/prewarmed/pid", 32);
    let old = wait_for("idle runners", || Some(prewarmed_processes(&host)).filter(|all| !all.is_empty()));
    host.site.install("prewarmed@v1", AUTHOR, json!({"spare": 4, "env": {"RELEASE": "new"}}));
    wait_for("the new release", || (host.get("/rpc/prewarmed/env").text() == "RELEASE=new").then_some(()));
    for answer in many(host.address, "/rpc/prewarmed/env", 32) {
        assert_eq!(answer.text(), "RELEASE=new");
    }
    wait_for("the end of the old runners", || {
        let now = prewarmed_processes(&host);
        old.iter().all(|process| !now.contains(process)).then_some(())
    });
}

#[test]
fn a_function_that_is_removed_leaves_no_runner() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    many(host.address, "/rpc/prewarmed/pid", 32);
    std::fs::remove_dir_all(host.site.function("prewarmed@v1")).unwrap();
    wait_for("the end of every process", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn a_module_that_cannot_be_prewarmed_is_reported_and_retried_with_exponential_backoff() {
    let host = Host::start(site_of(HARMFUL, json!({"env": {"HARM": "refuses_to_load"}, "spare": 2})));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(host.get("/rpc/prewarmed").outcome(), (503, "module_failed"));
    }
    let report = "a prewarmed runner ended before it had a request; retry in ";
    host.logged("the report", |line| line["message"].as_str().is_some_and(|text| text.starts_with(report)));
    // Two runners at a time, with pauses of 100, 200, 400... ms; each failure doubles the pause.
    let reports = lines(&host, report);
    assert!((1..=12).contains(&reports), "{reports} reports in {:?}", begun.elapsed());
    host.site.install("prewarmed@v1", HARMFUL, json!({"env": {"HARM": "answers_well"}, "spare": 2}));
    wait_for("the fixed module", || (host.get("/rpc/prewarmed").text() == "well").then_some(()));
    wait_for("idle runners", || (spare(&host) >= 1.0).then_some(()));
}

#[test]
fn idle_runners_are_bounded_per_function_and_in_total() {
    let site = site_of(AUTHOR, json!({"spare": 3}));
    site.install("other@v1", AUTHOR, json!({"spare": 8}));
    let host = Host::with_flags(site, &["--spare-total", "5"]);
    let other = || host.metric(r#"fezz_spare_processes{function="other@v1"}"#);
    many(host.address, "/rpc/prewarmed/pid", 64);
    wait_for("the function's limit of idle runners", || (spare(&host) == 3.0).then_some(()));
    many(host.address, "/rpc/other/pid", 64);
    wait_for("the limit of idle runners in total", || {
        (other() >= 1.0 && spare(&host) + other() <= 5.0).then_some(())
    });
    wait_for("no more processes than the limit", || (Leftovers::of(&host).children <= 5).then_some(()));
}

#[test]
fn idle_runners_end_some_seconds_after_the_last_request() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 3})));
    many(host.address, "/rpc/prewarmed/pid", 32);
    wait_for("idle runners", || (spare(&host) >= 1.0).then_some(()));
    wait_for("the end of the idle runners", || (spare(&host) == 0.0).then_some(()));
    wait_for("the end of every process", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn sigterm_lets_running_requests_finish_and_leaves_no_runner() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    many(host.address, "/rpc/prewarmed/pid", 32);
    host.assert_drains("/rpc/prewarmed/sleep?ms=600");
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_idle_runner() {
    each_host(
        || site_of(AUTHOR, json!({"spare": 4, "timeout_ms": 600_000})),
        |mut host| {
            many(host.address, "/rpc/prewarmed/pid", 16);
            wait_for("idle runners", || (spare(&host) >= 1.0).then_some(()));
            host.signal(Signal::KILL);
            host.ended();
            wait_for("the end of every process", || (Leftovers::of_dead(&host) == 0).then_some(()));
        },
    );
}
