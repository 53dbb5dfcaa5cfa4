//! Runners that are started ahead of their requests, for functions of `spawn`.

use crate::harm::check_all;
use crate::harness::{
    AUTHOR, Answer, Census, HARMFUL, Host, Site, TAKEOVER, alone, is_root, many, started_ahead, wait_for,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

fn site_of(module: &str, more: Value) -> Site {
    let site = Site::new();
    site.install("ahead@v1", module, more);
    site
}

fn spare(host: &Host) -> f64 {
    host.metric(r#"fezz_spare_processes{function="ahead@v1"}"#)
}

fn lines(host: &Host, part: &str) -> usize {
    let has_part = |line: &&Value| {
        ["message", "line"].iter().any(|key| line[*key].as_str().is_some_and(|text| text.starts_with(part)))
    };
    host.log().iter().filter(has_part).count()
}

/// Jailed as root and as an ordinary user, in a wrapper, without a jail.
fn each_host(make: impl Fn() -> Site, look: impl Fn(Host)) {
    look(Host::start(make()));
    if is_root() {
        look(Host::of_nobody(make(), &[]));
    }
    Host::in_bwrap(make(), &[]).into_iter().for_each(&look);
    look(Host::with_flags(make(), &["--jail", "off"]));
}

/// As the module tells it.
fn now_ns() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos().try_into().unwrap()
}

fn loaded_at_ns(answer: &Answer) -> u64 {
    let text = answer.text();
    let fact = text.split(' ').find_map(|fact| fact.strip_prefix("loaded_at_ns="));
    fact.unwrap_or_else(|| panic!("no time in {text}")).parse().unwrap()
}

#[test]
fn a_request_is_served_by_a_runner_that_had_loaded_the_module_before_it_came() {
    each_host(
        || site_of(TAKEOVER, json!({"spare": 2})),
        |host| {
            host.get("/rpc/ahead/facts");
            for _ in 0..5 {
                wait_for("a runner that waits", || (spare(&host) >= 1.0).then_some(()));
                // It waits before it has loaded the module, and the oldest is the next one's.
                let before = wait_for("a served request whose module was there", || {
                    let begun = now_ns();
                    let answer = host.get("/rpc/ahead/facts");
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
    let answers = many(host.address, "/rpc/ahead/facts", REQUESTS);
    let loads: HashSet<u64> = answers.iter().map(loaded_at_ns).collect();
    assert_eq!(loads.len(), REQUESTS, "each has loaded the module for itself");
    assert!(answers.iter().all(|answer| answer.text().starts_with("loads=1 forks=0 requests=1 spoilt=0 ")));
}

#[test]
fn each_harm_ends_as_without_runners_ahead() {
    let _machine = alone();
    let host = check_all(&json!({"spare": 2}), &[], &[], &[]);
    // Some wait for more requests; none is left that served one.
    wait_for("no more runners than wait", || {
        let text = host.get("/_metrics").text();
        let waiting = text.lines().filter(|line| line.starts_with("fezz_spare_processes{"));
        let waiting: usize =
            waiting.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        (Census::of(&host).children <= waiting).then_some(())
    });
}

#[test]
fn what_a_runner_writes_to_stderr_is_logged_with_function_and_request() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 2})));
    for _ in 0..5 {
        let answer = host.get("/rpc/ahead/log");
        let request_id = answer.header("x-request-id").unwrap();
        host.logged("the line", |line| line["line"] == "first line" && line["request_id"] == request_id);
    }
}

#[test]
fn a_deadline_counts_from_the_request_and_not_from_the_start_of_its_runner() {
    const TIMEOUT_MS: u64 = 1000;
    let host = Host::start(site_of(AUTHOR, json!({"spare": 2, "timeout_ms": TIMEOUT_MS})));
    host.get("/rpc/ahead/pid");
    for _ in 0..3 {
        wait_for("a runner that waits", || (spare(&host) >= 1.0).then_some(()));
        assert_eq!(host.get("/rpc/ahead/sleep?ms=600").text(), "slept");
    }
    let answer = host.get("/rpc/ahead/sleep?ms=60000");
    assert_eq!(answer.outcome(), (504, "deadline_exceeded"));
    assert!(answer.took >= Duration::from_millis(TIMEOUT_MS - 50), "{:?}", answer.took);
    assert!(answer.took < Duration::from_millis(2 * TIMEOUT_MS), "{:?}", answer.took);
}

#[test]
fn a_new_edition_is_served_by_its_own_runners_and_the_old_ones_go() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4, "env": {"EDITION": "old"}})));
    many(host.address, "/rpc/ahead/pid", 32);
    let old = wait_for("runners that wait", || Some(started_ahead(&host)).filter(|all| !all.is_empty()));
    host.site.install("ahead@v1", AUTHOR, json!({"spare": 4, "env": {"EDITION": "new"}}));
    wait_for("the new edition", || (host.get("/rpc/ahead/env").text() == "EDITION=new").then_some(()));
    for answer in many(host.address, "/rpc/ahead/env", 32) {
        assert_eq!(answer.text(), "EDITION=new");
    }
    wait_for("the old ones' end", || {
        let now = started_ahead(&host);
        old.iter().all(|process| !now.contains(process)).then_some(())
    });
}

#[test]
fn a_function_that_is_removed_leaves_no_runner() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    many(host.address, "/rpc/ahead/pid", 32);
    std::fs::remove_dir_all(host.site.function("ahead@v1")).unwrap();
    wait_for("the end of every process", || Some(Census::of(&host)).filter(Census::is_quiet));
}

#[test]
fn a_module_that_cannot_be_prewarmed_is_reported_and_retried_with_exponential_backoff() {
    let host = Host::start(site_of(HARMFUL, json!({"env": {"HARM": "refuses_to_load"}, "spare": 2})));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(host.get("/rpc/ahead").outcome(), (503, "module_failed"));
    }
    let told = "a prewarmed runner ended before it had a request; retry in ";
    host.logged("the report", |line| line["message"].as_str().is_some_and(|text| text.starts_with(told)));
    // Two at a time, 100, 200, 400... ms apart, and each of the two adds a step.
    let reports = lines(&host, told);
    assert!((1..=12).contains(&reports), "{reports} reports in {:?}", begun.elapsed());
    host.site.install("ahead@v1", HARMFUL, json!({"env": {"HARM": "answers_well"}, "spare": 2}));
    wait_for("the better module", || (host.get("/rpc/ahead").text() == "well").then_some(()));
    wait_for("runners that wait", || (spare(&host) >= 1.0).then_some(()));
}

#[test]
fn what_waits_is_bounded_by_spare_and_by_what_all_functions_have_together() {
    let site = site_of(AUTHOR, json!({"spare": 3}));
    site.install("other@v1", AUTHOR, json!({"spare": 8}));
    let host = Host::with_flags(site, &["--spare-total", "5"]);
    let other = || host.metric(r#"fezz_spare_processes{function="other@v1"}"#);
    many(host.address, "/rpc/ahead/pid", 64);
    wait_for("as many as may wait", || (spare(&host) == 3.0).then_some(()));
    many(host.address, "/rpc/other/pid", 64);
    wait_for("no more than are left", || (other() >= 1.0 && spare(&host) + other() <= 5.0).then_some(()));
    wait_for("as many processes as are told", || (Census::of(&host).children <= 5).then_some(()));
}

#[test]
fn nothing_waits_some_seconds_behind_the_last_request() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 3})));
    many(host.address, "/rpc/ahead/pid", 32);
    wait_for("runners that wait", || (spare(&host) >= 1.0).then_some(()));
    wait_for("the end of those who wait", || (spare(&host) == 0.0).then_some(()));
    wait_for("the end of every process", || Some(Census::of(&host)).filter(Census::is_quiet));
}

#[test]
fn sigterm_finishes_what_runs_and_leaves_no_runner() {
    let mut host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    many(host.address, "/rpc/ahead/pid", 32);
    let running = host.client("GET", "/rpc/ahead/sleep?ms=600").begin();
    host.logged("the function", |line| line["line"] == "sleeping");
    host.signal(Signal::TERM);
    assert_eq!(Answer::read(running, Instant::now()).text(), "slept");
    assert_eq!(host.ended().code(), Some(0));
    wait_for("the end of every process", || (Census::of_dead(&host) == 0).then_some(()));
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_runner_that_waits() {
    each_host(
        || site_of(AUTHOR, json!({"spare": 4, "timeout_ms": 600_000})),
        |mut host| {
            many(host.address, "/rpc/ahead/pid", 16);
            wait_for("runners that wait", || (spare(&host) >= 1.0).then_some(()));
            host.signal(Signal::KILL);
            host.ended();
            wait_for("the end of every process", || (Census::of_dead(&host) == 0).then_some(()));
        },
    );
}
