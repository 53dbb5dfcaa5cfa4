//! A client that guesses a function's stack canary byte by byte, through a buffer overflow. All processes of a zygote
//! share one canary, so a zygote must be replaced after few wrong guesses.

use crate::harness::{AUTHOR, Answer, Connection, Host, OVERFLOW, Site, TAKEOVER, wait_for, zygotes};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A zygote serves no further request once this many of its processes have ended abnormally.
const ABNORMAL_MAX: usize = 100;

/// From this count on, a zygote runs at most as many requests at a time as remain until the limit, and is replaced.
const SUSPECT_FROM: usize = 50;

const CANARY_BYTES: usize = 8;

fn host(execution: &str, more: Value) -> Host {
    let mut manifest = more;
    manifest["execution"] = execution.into();
    let site = Site::new();
    site.install("overflow@v1", OVERFLOW, manifest);
    let host = Host::start(site);
    wait_for("the function", || (host.get("/rpc/overflow/00").status == 200).then_some(()));
    host
}

/// How a guessing attack ends.
#[derive(Debug)]
enum AttackEnd {
    Found,
    /// No value of a byte was right.
    Lost,
    Refused(Answer),
}

/// Guesses until the canary is known or the host refuses further requests.
fn attack(host: &Host) -> (usize, AttackEnd) {
    const GUESSES_MAX: usize = 5000;
    let mut connection = Connection::new(host.address);
    let distance: usize = connection.get("/rpc/overflow/00").text().parse().unwrap();
    // The lowest byte of glibc's canary is always 0, so that no C string can contain the canary.
    let mut known = vec![0];
    for guess in 0..GUESSES_MAX {
        let value = u8::try_from(guess % 256).unwrap();
        let input = [&vec![b'x'; distance][..], &known, &[value]].concat();
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let answer = connection.get(&format!("/rpc/overflow/{hex}"));
        match answer.status {
            200 => known.push(value),
            502 | 504 => {}
            _ => return (guess, AttackEnd::Refused(answer)),
        }
        if known.len() == CANARY_BYTES {
            return (guess, AttackEnd::Found);
        }
    }
    (GUESSES_MAX, AttackEnd::Lost)
}

/// The number of requests that each zygote's processes have served.
fn requests_of_zygotes(host: &Host) -> BTreeMap<String, usize> {
    let mut requests = BTreeMap::new();
    for line in host.log() {
        if let Some(zygote) = line["line"].as_str().and_then(|line| line.strip_prefix("zygote ")) {
            *requests.entry(zygote.to_owned()).or_default() += 1;
        }
    }
    requests
}

fn paused(host: &Host) -> f64 {
    host.metric(r#"fezz_function_pauses_total{function="overflow@v1"}"#)
}

fn worn_out(host: &Host, function: &str) -> f64 {
    host.metric(&format!(r#"fezz_zygotes_worn_out_total{{function="{function}@v1"}}"#))
}

/// Checks that the host pauses the function and that no zygote served more requests than its limit.
fn check_held(more: Value) {
    let host = host("fork", more);
    let (guesses, end) = attack(&host);
    let AttackEnd::Refused(refused) = end else { panic!("{end:?} by {guesses} guesses") };
    assert_eq!(refused.outcome(), (503, "module_failed"), "after {guesses} guesses: {}", refused.text());
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    host.logged("the reason", |line| {
        line["level"] == "ERROR"
            && line["message"].as_str().is_some_and(|text| text.contains("function paused"))
    });
    assert_eq!((paused(&host), worn_out(&host, "overflow")), (1.0, 2.0));
    // Requests that a new zygote answered normally don't count as crashes; there are fewer of them than this.
    const ANSWERED_MAX: usize = 10;
    for (zygote, requests) in requests_of_zygotes(&host) {
        assert!(requests <= ABNORMAL_MAX + ANSWERED_MAX, "{requests} requests of zygote {zygote}");
    }
    wait_for("the pause's end", || (host.get("/rpc/overflow/00").status == 200).then_some(()));
}

#[test]
fn guessing_the_canary_of_a_function_that_loads_at_once_is_stopped() {
    check_held(json!({}));
}

#[test]
fn guessing_the_canary_of_a_function_that_loads_slowly_is_stopped() {
    check_held(json!({"env": {"LOAD_MS": "3000"}}));
}

#[test]
fn guessing_the_canary_of_a_function_that_exits_on_an_abort_is_stopped() {
    check_held(json!({"env": {"AT_ABORT": "exits"}}));
}

#[test]
fn guessing_the_canary_of_a_function_that_exits_with_status_0_is_stopped() {
    check_held(json!({"env": {"AT_ABORT": "exits_with_status_0", "LOAD_MS": "1000"}}));
}

/// A guess that is always wrong: no canary is all ones.
fn wrong_guess() -> String {
    format!("/rpc/overflow/{}", "ff".repeat(64))
}

#[test]
fn requests_wait_for_the_replacement_of_a_worn_out_zygote() {
    let host = host("fork", json!({"env": {"LOAD_MS": "1000"}}));
    let mut connection = Connection::new(host.address);
    for _ in 0..ABNORMAL_MAX {
        assert_eq!(connection.get(&wrong_guess()).outcome(), (502, "function_crashed"));
    }
    assert_eq!(connection.get("/rpc/overflow/00").status, 200);
    // The first zygote also served the request by which the test waited for the function.
    let expected = [1, ABNORMAL_MAX + 1];
    wait_for("a zygote for each", || {
        let mut requests: Vec<usize> = requests_of_zygotes(&host).into_values().collect();
        requests.sort_unstable();
        (requests == expected).then_some(())
    });
    assert_eq!((paused(&host), worn_out(&host, "overflow")), (0.0, 1.0));
}

#[test]
fn parallel_guesses_are_bounded_by_the_requests_that_already_ran() {
    const CONCURRENCY: usize = 64;
    let limits = json!({"concurrency": CONCURRENCY, "queue": 2 * CONCURRENCY});
    let host = host("fork", json!({"spare": 8, "limits": limits, "env": {"LOAD_MS": "1000"}}));
    std::thread::scope(|scope| {
        for _ in 0..2 * CONCURRENCY {
            scope.spawn(|| {
                let mut connection = Connection::new(host.address);
                while connection.get(&wrong_guess()).status == 502 {}
            });
        }
    });
    for (zygote, requests) in requests_of_zygotes(&host) {
        // Plus the requests by which the test waited for the function.
        assert!(requests <= SUSPECT_FROM - 1 + CONCURRENCY + 1, "{requests} requests of zygote {zygote}");
    }
    assert!(paused(&host) >= 1.0);
}

#[test]
fn every_kind_of_abnormal_end_wears_a_zygote_out() {
    let site = Site::new();
    let harms = [
        "aborts",
        "segfaults",
        "exits_0_without_answering",
        "exits_7_without_answering",
        "returns_a_null_buffer",
        "returns_garbage",
        "returns_half_a_response",
        "sets_status_99",
        "sets_a_header_with_crlf",
        "uses_a_null_pointer_of_malloc",
    ];
    for harm in harms {
        site.harm(harm, json!({"execution": "fork", "spare": 2}));
    }
    let host = Host::start(site);
    for harm in harms {
        let mut connection = Connection::new(host.address);
        for _ in 0..SUSPECT_FROM {
            assert_ne!(connection.get(&format!("/rpc/{harm}")).status, 200, "{harm}");
        }
        wait_for(harm, || (worn_out(&host, harm) == 1.0).then_some(()));
    }
}

#[test]
fn a_function_that_crashes_now_and_then_is_never_paused() {
    const REQUESTS: usize = 4000;
    const CRASHES_EVERY: usize = 20;
    let site = Site::new();
    site.install("takeover@v1", TAKEOVER, json!({"execution": "fork", "spare": 2}));
    let host = Host::start(site);
    let mut connection = Connection::new(host.address);
    for request in 1..=REQUESTS {
        let (attack, expected) = match request % CRASHES_EVERY {
            0 => ("overwrites_its_memory", (502, "function_crashed")),
            _ => ("facts", (200, "")),
        };
        assert_eq!(connection.get(&format!("/rpc/takeover/{attack}")).outcome(), expected, "{request}");
    }
    assert!(worn_out(&host, "takeover") >= 2.0);
    assert_eq!(host.metric("fezz_function_pauses_total"), 0.0);
}

#[test]
fn cancelled_requests_replace_a_zygote_and_pause_no_function() {
    const CLIENTS: usize = 101;
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"execution": "fork", "timeout_ms": 60_000}));
    let host = Host::start(site);
    host.get("/rpc/author/pid");
    let first = zygotes(&host);
    for client in 1..=CLIENTS {
        let stream = host.client("GET", "/rpc/author/sleep?ms=60000").begin();
        let sleeping = || host.log().iter().filter(|line| line["line"] == "sleeping").count();
        wait_for("the function", || (sleeping() == client).then_some(()));
        drop(stream);
    }
    wait_for("another zygote", || {
        assert_eq!(host.get("/rpc/author/pid").status, 200);
        zygotes(&host).iter().all(|zygote| !first.contains(zygote)).then_some(())
    });
    assert_eq!((worn_out(&host, "author"), host.metric("fezz_function_pauses_total")), (0.0, 0.0));
}

#[test]
fn prewarmed_runners_share_no_canary() {
    const REQUESTS: usize = 60;
    let host = host("spawn", json!({"spare": 4}));
    let mut connection = Connection::new(host.address);
    for _ in 0..REQUESTS {
        assert_eq!(connection.get(&wrong_guess()).outcome(), (502, "function_crashed"));
    }
    // The kernel draws these bytes for each exec; glibc makes the canary of them.
    let drawn = wait_for("the log lines of the runners", || {
        Some(requests_of_zygotes(&host)).filter(|drawn| drawn.values().sum::<usize>() > REQUESTS)
    });
    assert!(drawn.values().all(|requests| *requests == 1), "{drawn:?}");
}
