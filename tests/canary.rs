//! A client that guesses the stack canary of a function, byte by byte, by a buffer overflow: all processes of a zygote
//! have the same one, so that a zygote must not live through many wrong guesses.

use crate::harness::{Answer, Connection, Host, OVERFLOW, Site, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// No request is served by a zygote that so many of its processes have ended abnormally in.
const ABNORMAL_MAX: usize = 100;

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

/// How an attack ends.
#[derive(Debug)]
enum End {
    Found,
    /// No value of a byte was right.
    Lost,
    Refused(Answer),
}

/// Guesses until the canary is known, or the host refuses to go on.
fn attack(host: &Host) -> (usize, End) {
    const GUESSES_MAX: usize = 5000;
    let mut connection = Connection::new(host.address);
    let distance: usize = connection.get("/rpc/overflow/00").text().parse().unwrap();
    // The lowest byte of glibc's canary is 0, so that no string can hold it.
    let mut known = vec![0];
    for guess in 0..GUESSES_MAX {
        let value = u8::try_from(guess % 256).unwrap();
        let input = [&vec![b'x'; distance][..], &known, &[value]].concat();
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        let answer = connection.get(&format!("/rpc/overflow/{hex}"));
        match answer.status {
            200 => known.push(value),
            502 | 504 => {}
            _ => return (guess, End::Refused(answer)),
        }
        if known.len() == CANARY_BYTES {
            return (guess, End::Found);
        }
    }
    (GUESSES_MAX, End::Lost)
}

/// How many requests each zygote's processes have seen.
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

/// The attack ends by a pause, and no zygote has served more than it may.
fn check_held(more: Value) {
    let host = host("fork", more);
    let (guesses, end) = attack(&host);
    let End::Refused(refused) = end else { panic!("{end:?} by {guesses} guesses") };
    assert_eq!(refused.outcome(), (503, "module_failed"), "behind {guesses} guesses: {}", refused.text());
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    host.logged("the reason", |line| {
        line["level"] == "ERROR" && line["message"].as_str().is_some_and(|text| text.contains("function paused"))
    });
    assert_eq!((paused(&host), worn_out(&host, "overflow")), (1.0, 2.0));
    // What was answered, for the zygote's first, counts for nothing, but for fewer than these.
    const ANSWERED_MAX: usize = 10;
    for (zygote, requests) in requests_of_zygotes(&host) {
        assert!(requests <= ABNORMAL_MAX + ANSWERED_MAX, "{requests} requests of zygote {zygote}");
    }
}

#[test]
fn who_guesses_the_canary_of_a_function_that_loads_at_once_is_stopped() {
    check_held(json!({}));
}

#[test]
fn who_guesses_the_canary_of_a_function_that_loads_slowly_is_stopped() {
    check_held(json!({"env": {"LOAD_MS": "3000"}}));
}

#[test]
fn who_guesses_the_canary_of_a_function_that_exits_on_an_abort_is_stopped() {
    check_held(json!({"env": {"AT_ABORT": "exits"}}));
}

#[test]
fn who_guesses_the_canary_of_a_function_that_exits_as_if_well_is_stopped() {
    check_held(json!({"env": {"AT_ABORT": "exits_as_if_well", "LOAD_MS": "1000"}}));
}
