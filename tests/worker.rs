//! The `worker` executor: long-lived processes that serve request after request.

use crate::harness::{
    AUTHOR, Answer, Connection, Host, Leftovers, PATIENCE, Site, connect, many, peak_kib, resident_kib,
    wait_for,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

/// The program of `tests/fixtures/worker`.
const PROGRAM: &str = "fixture_worker";

/// Installs that program, with `more` in its manifest.
pub(crate) fn install(site: &Site, name: &str, more: Value) {
    let (id, version) = name.split_once('@').unwrap();
    let mut manifest = json!({"id": id, "version": version, "binary": PROGRAM, "routes": []});
    for (key, value) in more.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    site.write(name, PROGRAM, &manifest.to_string());
}

/// A host of it alone, as `w@v1`.
pub(crate) fn host_of(more: Value) -> Host {
    let site = Site::new();
    install(&site, "w@v1", more);
    Host::start(site)
}

/// A metric of `w@v1`, with `labels` after its name.
pub(crate) fn metric(host: &Host, name: &str, labels: &str) -> f64 {
    host.metric(&format!(r#"fezz_{name}{{function="w@v1"{labels}}}"#))
}

pub(crate) fn ends(host: &Host, reason: &str) -> f64 {
    metric(host, "worker_ends_total", &format!(r#",reason="{reason}""#))
}

pub(crate) fn starts(host: &Host) -> f64 {
    metric(host, "worker_starts_total", "")
}

/// All of them, in one look: one that changes its state meanwhile counts once.
pub(crate) fn workers(host: &Host) -> f64 {
    let text = host.get("/_metrics").text();
    let lines = text.lines().filter(|line| line.starts_with(r#"fezz_workers{function="w@v1""#));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

pub(crate) fn get(host: &Host, path: &str) -> Answer {
    host.get(&format!("/rpc/w/{path}"))
}

/// The processes that the host itself started: of each worker the first, with which the others end.
fn processes(host: &Host) -> Vec<Pid> {
    let own = host.pid().to_string();
    let tasks = std::fs::read_dir(format!("/proc/{own}/task")).unwrap().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<Pid> = lists
        .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>())
        .filter_map(Pid::from_raw)
        .collect();
    pids
}

#[test]
fn what_a_program_keeps_is_there_for_the_next_request() {
    let host = host_of(json!({"worker": {"max": 1}}));
    let counts: BTreeSet<u32> =
        many(host.address, "/rpc/w/count", 100).iter().map(|answer| answer.text().parse().unwrap()).collect();
    assert_eq!(counts, (1..=100).collect());
    assert_eq!((starts(&host), workers(&host)), (1.0, 1.0));
}

#[test]
fn a_module_serves_as_a_worker_too() {
    for concurrency in [1, 4] {
        let site = Site::new();
        let worker = json!({"concurrency": concurrency, "max": 2});
        site.install("m@v1", AUTHOR, json!({"execution": "worker", "worker": worker}));
        let host = Host::start(site);
        let pids: BTreeSet<String> =
            many(host.address, "/rpc/m/pid", 200).into_iter().map(|answer| answer.text()).collect();
        assert!(pids.len() <= 2, "{pids:?}");
        assert_eq!(host.get("/rpc/m/panic").outcome(), (500, "function_panicked"));
        assert_eq!(host.get("/rpc/m/error").outcome(), (500, "function_error"));
        let body = "x".repeat(3 << 20);
        assert_eq!(host.client("POST", "/rpc/m/echo").body(body.clone()).send().text(), body);
        assert_eq!(host.metric(r#"fezz_worker_ends_total{function="m@v1""#), 0.0);
    }
}

#[test]
fn bodies_survive_in_each_format() {
    let body: Vec<u8> = (0..2_u32 << 20).map(|index| (index % 251) as u8).collect();
    for format in ["cbor", "json", "message-pack"] {
        let host = host_of(json!({"env": {"FORMAT": format}, "worker": {"concurrency": 4}}));
        for body in [&b""[..], b"text \"\\ \x01", &body] {
            let answer = host.client("POST", "/rpc/w/echo").body(body).send();
            assert_eq!((answer.status, answer.body == body), (200, true), "{format}");
            assert_eq!(answer.header("x-a"), Some("b"), "{format}");
        }
        assert_eq!(get(&host, "bytes?n=300").body.len(), 300, "{format}");
    }
}

#[test]
fn a_worker_with_slots_has_several_requests_at_a_time() {
    let host = host_of(json!({"worker": {"max": 1, "concurrency": 8}}));
    get(&host, "count");
    let begun = Instant::now();
    assert!(many(host.address, "/rpc/w/sleep?ms=500", 8).iter().all(|answer| answer.text() == "slept"));
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert_eq!(starts(&host), 1.0);
}

#[test]
fn workers_are_added_up_to_the_maximum_and_ended_when_they_are_idle() {
    let host = host_of(json!({"worker": {"min": 1, "max": 3}}));
    wait_for("the worker that is kept", || (workers(&host) == 1.0).then_some(()));
    assert!(many(host.address, "/rpc/w/sleep?ms=300", 16).iter().all(|answer| answer.status == 200));
    assert_eq!((workers(&host), starts(&host)), (3.0, 3.0));
    wait_for("the end of idle workers", || (workers(&host) == 1.0).then_some(()));
    assert_eq!((ends(&host, "idle"), starts(&host)), (2.0, 3.0));
}

#[test]
fn requests_wait_for_a_worker_in_order_and_not_beyond_their_deadline() {
    let host = host_of(json!({"worker": {"max": 1}, "timeout_ms": 1500}));
    let sleeping = host.client("GET", "/rpc/w/sleep?ms=1400").begin();
    host.logged("the first", |line| line["line"] == "sleeping");
    let begun = Instant::now();
    let waiting = host.client("GET", "/rpc/w/sleep?ms=1000").begin();
    assert_eq!(Answer::read(sleeping, begun).text(), "slept");
    // It has seen half a second of the worker.
    assert_eq!(Answer::read(waiting, begun).outcome(), (504, "deadline_exceeded"));
    assert_eq!(get(&host, "count").status, 200);
}

#[test]
fn a_deadline_kills_the_worker_and_fails_its_other_requests_with_the_reason() {
    let host = host_of(json!({"worker": {"max": 1, "concurrency": 4}, "timeout_ms": 1000}));
    get(&host, "count");
    let late = host.client("GET", "/rpc/w/never").begin();
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let neighbour = host.client("GET", "/rpc/w/sleep?ms=60000").begin();
    assert_eq!(Answer::read(late, begun).outcome(), (504, "deadline_exceeded"));
    assert_eq!(Answer::read(neighbour, begun).outcome(), (502, "function_crashed"));
    host.logged("the reason", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("another request of the worker"))
    });
    assert_eq!(get(&host, "count").text(), "1", "another worker");
    assert_eq!(ends(&host, "deadline"), 1.0);
}

#[test]
fn a_client_that_goes_away_is_told_to_the_worker_and_its_slot_stays_taken() {
    let host = host_of(json!({"worker": {"max": 1}}));
    let gone = host.client("GET", "/rpc/w/sleep?ms=1500").begin();
    host.logged("the request", |line| line["line"] == "sleeping");
    drop(gone);
    host.logged("the cancel", |line| line["line"] == "cancelled");
    let begun = Instant::now();
    assert_eq!(get(&host, "count").text(), "2", "the same worker");
    assert!(begun.elapsed() > Duration::from_millis(500), "it waited for the slot");
}

#[test]
fn a_request_without_a_client_still_has_its_deadline() {
    let host = host_of(json!({"worker": {"max": 1}, "timeout_ms": 1000}));
    get(&host, "count");
    let gone = host.client("GET", "/rpc/w/never").begin();
    wait_for("the request", || (metric(&host, "workers", r#",state="busy""#) == 1.0).then_some(()));
    drop(gone);
    wait_for("the end of the worker", || (ends(&host, "deadline") == 1.0).then_some(()));
    let taken = r#"fezz_processes{function="w@v1"}"#;
    wait_for("the permit to be released", || (host.metric(taken) == 0.0).then_some(()));
}

#[test]
fn the_log_has_the_worker_and_the_request_of_each_line() {
    let host = host_of(json!({"worker": {"max": 1}}));
    for number in 1..20 {
        let answer = get(&host, "log");
        let request_id = answer.header("x-request-id").unwrap();
        let line = host.logged("the line", |line| line["line"] == format!("a line of request {number}"));
        assert_eq!((line["function"].as_str(), line["worker"].as_u64()), (Some("w@v1"), Some(1)));
        assert_eq!(line["request_id"].as_str(), Some(request_id), "{number}");
    }
}

/// How many requests ended with a status and a kind.
type Outcomes = BTreeMap<(u16, String), usize>;

/// Keeps `clients` connections busy until `stop` says so; returns how the requests ended.
fn load(host: &Host, path: &str, clients: usize, work: impl FnOnce()) -> Outcomes {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = || {
            let (mut outcomes, mut connection) = (Outcomes::new(), Connection::new(host.address));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let answer = connection.get(path);
                let (status, kind) = answer.outcome();
                *outcomes.entry((status, kind.to_owned())).or_default() += 1;
            }
            outcomes
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        work();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut all = Outcomes::new();
        for outcomes in clients {
            for (outcome, count) in outcomes.join().unwrap() {
                *all.entry(outcome).or_default() += count;
            }
        }
        all
    })
}

fn requests_of(outcomes: &Outcomes, status: u16) -> usize {
    outcomes.iter().filter(|((found, _), _)| *found == status).map(|(_, count)| count).sum()
}

#[test]
fn killed_workers_lose_only_the_requests_that_they_had() {
    const KILLS: usize = 60;
    let host = host_of(json!({"worker": {"max": 4, "concurrency": 2}}));
    get(&host, "count");
    let mut killed = 0;
    let outcomes = load(&host, "/rpc/w/count", 6, || {
        for kill in 0..KILLS {
            // Twenty a second.
            std::thread::sleep(Duration::from_millis(50));
            let alive = processes(&host);
            if let Some(worker) = alive.get(kill % alive.len().max(1)) {
                killed += usize::from(kill_process(*worker, Signal::KILL).is_ok());
            }
        }
    });
    let (served, lost) = (requests_of(&outcomes, 200), requests_of(&outcomes, 502));
    println!("{killed} workers killed: {outcomes:?}, {} starts", starts(&host));
    assert_eq!(served + lost, outcomes.values().sum::<usize>(), "{outcomes:?}");
    assert!(lost <= killed * 2 && served > lost, "{killed} killed: {outcomes:?}");
    assert_eq!(metric(&host, "worker_requests_lost_total", ""), lost as f64);
    // Never more starts than ends need, and the log says when the next one is.
    assert!(starts(&host) <= (killed + 4) as f64, "{}", starts(&host));
    host.logged("the backoff", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("retry in") && text.contains("signal 9"))
    });
    assert_eq!(get(&host, "count").status, 200);
}

#[test]
fn workers_are_replaced_after_requests_age_and_memory_without_a_failed_request() {
    for (limit, reason) in [
        (json!({"max_requests": 100}), "max_requests"),
        (json!({"max_age_ms": 1000}), "max_age"),
        (json!({"max_memory_bytes": 32 << 20}), "max_memory"),
    ] {
        let mut worker = limit;
        worker["max"] = 2.into();
        let host = host_of(json!({"worker": worker}));
        let outcomes = load(&host, "/rpc/w/grow?bytes=40000000", 4, || {
            wait_for(reason, || (ends(&host, reason) >= 2.0).then_some(()));
        });
        assert!(outcomes.keys().all(|(status, _)| *status == 200), "{reason}: {outcomes:?}");
        assert!(starts(&host) >= 3.0);
    }
}

#[test]
fn a_new_release_takes_over_under_load_without_a_failed_request() {
    let host = host_of(json!({"worker": {"max": 2}, "env": {"RELEASE": "0"}}));
    get(&host, "count");
    let outcomes = load(&host, "/rpc/w/sleep?ms=5", 6, || {
        for release in 1..=4 {
            let reloads = host.metric("fezz_reloads_total");
            install(
                &host.site,
                "w@v1",
                json!({"worker": {"max": 2}, "env": {"RELEASE": release.to_string()}}),
            );
            wait_for("the reload", || (host.metric("fezz_reloads_total") > reloads).then_some(()));
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    assert!(outcomes.keys().all(|(status, _)| *status == 200), "{outcomes:?}");
    wait_for("the end of the old workers", || (processes(&host).len() <= 2).then_some(()));
    assert!(ends(&host, "retired") >= 4.0, "{}", ends(&host, "retired"));
}

#[test]
fn a_worker_that_cannot_start_fails_requests_at_once_and_is_tried_again_with_backoff() {
    for (start, reason) in [
        ("exits", "no database"),
        ("silent", "wasn't ready within 500 ms"),
        ("responds-first", "its first frame is Response"),
        ("other-version", "version 2 of the protocol"),
        ("garbage", "broke the protocol"),
    ] {
        let host = host_of(json!({"env": {"START": start}, "timeout_ms": 500}));
        let begun = Instant::now();
        for answer in many(host.address, "/rpc/w/count", 40) {
            assert_eq!(answer.outcome(), (503, "module_failed"), "{start}");
        }
        let line =
            host.logged(reason, |line| line["error"].as_str().is_some_and(|error| error.contains(reason)));
        assert!(line["message"].as_str().unwrap().contains("retry in 0.1 s (attempt 1)"), "{line}");
        let tries_max = 2 + (begun.elapsed().as_millis() / 100).max(1).ilog2();
        assert!(
            starts(&host) <= tries_max.into(),
            "{start}: {} tries in {:?}",
            starts(&host),
            begun.elapsed()
        );
    }
}

/// What hostile workers do, how the request ends, and the reason in the metrics.
const HARMS: [(&str, (u16, &str), &str); 13] = [
    ("twice", (200, ""), "invalid"),
    ("lies", (502, "invalid_response"), "invalid"),
    ("old", (502, "invalid_response"), "invalid"),
    ("pongs", (502, "invalid_response"), "invalid"),
    ("floods", (200, ""), "invalid"),
    ("torn", (502, "invalid_response"), "invalid"),
    ("claims", (502, "invalid_response"), "invalid"),
    ("announces", (502, "invalid_response"), "invalid"),
    ("hello", (502, "invalid_response"), "invalid"),
    ("requests", (502, "invalid_response"), "invalid"),
    ("half", (504, "deadline_exceeded"), "deadline"),
    ("exit", (502, "function_crashed"), "crashed"),
    ("abort", (502, "function_crashed"), "crashed"),
];

#[test]
fn a_hostile_worker_ends_and_the_next_request_has_another() {
    for (harm, outcome, reason) in HARMS {
        let host = host_of(json!({"worker": {"max": 1}, "timeout_ms": 2000}));
        assert_eq!(get(&host, "count").text(), "1");
        let before = resident_kib(&host);
        assert_eq!(get(&host, harm).outcome(), outcome, "{harm}");
        wait_for(reason, || (ends(&host, reason) == 1.0).then_some(()));
        assert_eq!(get(&host, "count").text(), "1", "{harm}: another worker");
        let line = host.logged("the end", |line| line["reason"] == reason);
        assert!(line["message"].as_str().unwrap().starts_with("worker ended: "), "{harm}: {line}");
        assert!(resident_kib(&host) < before + 16 * 1024, "{harm}: the host holds what was announced");
    }
}

#[test]
fn an_invalid_message_fails_its_request_alone() {
    let host = host_of(json!({"worker": {"max": 1}}));
    assert_eq!(get(&host, "invalid").outcome(), (502, "invalid_response"));
    assert_eq!(get(&host, "count").text(), "2", "the same worker");
}

#[test]
fn a_large_invalid_message_costs_the_host_no_copies_of_it() {
    const BYTES: usize = 40_000_000;
    let host = host_of(json!({"env": {"FORMAT": "json"}, "limits": {"memory_bytes": 1 << 29}}));
    get(&host, "count");
    let before = peak_kib(&host);
    assert_eq!(get(&host, &format!("long-status?n={BYTES}")).outcome(), (502, "invalid_response"));
    let line = host.logged("the reason", |line| line["kind"] == "invalid_response").to_string();
    assert!(line.contains("AAA...") && line.contains("expected u16") && line.len() < 2000, "{line}");
    assert!(peak_kib(&host) < before + 2 * BYTES / 1024, "{} KiB more", peak_kib(&host) - before);
}

#[test]
fn a_response_over_the_limit_is_refused_before_it_is_held() {
    let host = host_of(json!({"worker": {"max": 1}, "limits": {"response_body_bytes": 1000000}}));
    assert_eq!(get(&host, "large?n=1000000").body.len(), 1_000_000);
    assert_eq!(get(&host, "large?n=1000001").outcome(), (502, "invalid_response"));
    assert_eq!(get(&host, "large?n=9000000").outcome(), (502, "invalid_response"));
    wait_for("the end of the worker", || (ends(&host, "invalid") == 1.0).then_some(()));
}

#[test]
fn a_worker_that_answers_no_ping_is_replaced() {
    let host = host_of(json!({"env": {"START": "deaf"}, "worker": {"min": 1, "max": 1}}));
    wait_for("the end of the deaf worker", || (ends(&host, "hung") >= 1.0).then_some(()));
    wait_for("another", || (starts(&host) >= 2.0).then_some(()));
    host.logged("the reason", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("answered no ping"))
    });
}

#[test]
fn an_honest_worker_answers_pings_and_stays() {
    let host = host_of(json!({"worker": {"min": 1, "max": 1}}));
    get(&host, "count");
    // Two periods of the heartbeat: then a worker that answers none is gone.
    let begun = Instant::now();
    wait_for("two heartbeats", || (begun.elapsed() > Duration::from_secs(12)).then_some(()));
    assert_eq!((get(&host, "count").text().as_str(), starts(&host)), ("2", 1.0));
}

#[test]
fn a_worker_that_goes_on_after_the_end_is_killed() {
    for start in ["lingers", "writes-after-close"] {
        let host = host_of(json!({"env": {"START": start}, "worker": {"max": 1, "max_requests": 1}}));
        assert_eq!(get(&host, "count").text(), "1");
        wait_for("its end", || (ends(&host, "lingered") == 1.0).then_some(()));
        assert_eq!(get(&host, "count").status, 200);
    }
}

#[test]
fn the_host_drains_with_workers() {
    host_of(json!({"worker": {"min": 2, "max": 4}})).assert_drains("/rpc/w/sleep?ms=1000");
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_worker() {
    let mut host = host_of(json!({"worker": {"min": 2, "max": 4}}));
    get(&host, "count");
    wait_for("both", || (workers(&host) == 2.0).then_some(()));
    let running = processes(&host);
    host.signal(Signal::KILL);
    host.ended();
    wait_for("the end of every process", || {
        let is_gone = |pid: &Pid| !std::path::Path::new(&format!("/proc/{pid}")).exists();
        (Leftovers::of_dead(&host) == 0 && running.iter().all(is_gone)).then_some(())
    });
}

#[test]
fn the_starts_of_workers_are_spread_by_the_demand() {
    let host = host_of(json!({"env": {"START": "slow"}, "worker": {"max": 8}}));
    assert!(many(host.address, "/rpc/w/count", 8).iter().all(|answer| answer.status == 200));
    assert!(starts(&host) <= 8.0, "{}", starts(&host));
    let mut stream = connect(host.address);
    stream.write_all(b"GET /rpc/w/count HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(Answer::read(stream, Instant::now()).status, 200);
    assert!(PATIENCE > Duration::from_secs(15), "idle workers end within it");
}
