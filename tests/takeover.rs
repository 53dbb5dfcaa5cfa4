//! Requests that take over their process: later processes of the same zygote are not affected.

use crate::harness::{Answer, Host, Leftovers, Site, TAKEOVER, is_root, many, wait_for, zygotes};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

const TIMEOUT_MS: u64 = 2000;
const AFTER: usize = 1000;

fn manifest() -> Value {
    // The kernel counts the threads of all requests together. A small limit, so that the thread attack doesn't use all
    // memory.
    let limits = json!({"concurrency": 8, "threads": 16});
    json!({"execution": "fork", "spare": 4, "timeout_ms": TIMEOUT_MS, "limits": limits})
}

/// A host whose processes serve request after request, each compared whole after each.
fn rewinding(unprivileged: bool) -> Host {
    let site = Site::new();
    let mut manifest = manifest();
    manifest["execution"] = "rewind".into();
    site.install("takeover@v1", TAKEOVER, manifest);
    let flags = ["--rewind-checks-percent", "100"];
    if unprivileged { Host::unprivileged(site, &flags) } else { Host::with_flags(site, &flags) }
}

/// Such a process has no socket. Its calls go through the host, so that the last attack doesn't get to its end.
const WITHOUT_SOCKET: [(&str, (u16, &str, &str)); 2] = [
    ("sends_on_every_socket", (200, "", "sent")),
    ("forges_control_packets", (504, "deadline_exceeded", "")),
];

/// Runs all attacks, each by a process that has served before and would serve again.
fn check_rewinding(host: &Host) {
    const FEWER_AFTER: usize = 100;
    let count = |metric: &str| host.metric(metric);
    for (attack, usual) in ATTACKS {
        let own = WITHOUT_SOCKET.into_iter().find(|(known, _)| *known == attack);
        wait_for("a process that is ready", || {
            many(host.address, "/rpc/takeover/facts", 8);
            (count(r#"fezz_spare_processes{function="takeover@v1"}"#) > 0.0).then_some(())
        });
        let served = || {
            ["rewound", "tainted", "forked"].map(|result| {
                count(&format!(r#"fezz_rewind_requests_total{{function="takeover@v1",result="{result}"}}"#))
            })
        };
        let [.., forked] = served();
        let answer = host.get("/rpc/takeover/facts");
        assert_eq!((answer.status, served()[2]), (200, forked), "{attack}: it was forked");
        check_with(host, attack, own.map_or(usual, |(_, expected)| expected), FEWER_AFTER);
    }
    assert_eq!(count(r#"fezz_rewind_differences_total{function="takeover@v1"}"#), 0.0);
    assert!(count(r#"fezz_rewind_comparisons_total{function="takeover@v1"}"#) > 100.0);
}

#[test]
fn no_later_request_is_affected_where_processes_serve_again() {
    check_rewinding(&rewinding(false));
}

#[test]
fn no_later_request_is_affected_where_processes_of_an_ordinary_user_serve_again() {
    if is_root() {
        check_rewinding(&rewinding(true));
    }
}

fn site() -> Site {
    let site = Site::new();
    site.install("takeover@v1", TAKEOVER, manifest());
    site
}

/// The value of `name` in an answer of `facts`.
fn fact(answer: &Answer, name: &str) -> String {
    let text = answer.text();
    let found = text.split(' ').find_map(|fact| fact.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

/// Checks that harmless requests find unmodified memory, and random numbers that no other request has.
fn check_clean(host: &Host, requests: usize) {
    let answers = many(host.address, "/rpc/takeover/facts", requests);
    let mut numbers = HashSet::new();
    for answer in &answers {
        assert_eq!(answer.outcome(), (200, ""), "{}", answer.text());
        let text = answer.text();
        assert!(text.starts_with("loads=1 forks=1 requests=1 modified=0 pid="), "{text}");
        for name in ["random", "generated"] {
            assert!(numbers.insert(fact(answer, name)), "{name} comes twice: {text}");
        }
    }
    assert_eq!(numbers.len(), 2 * requests);
}

/// One request takes over its process. Checks that the next `requests` requests, the host and the zygote are not
/// affected.
fn check_with(host: &Host, attack: &str, (status, kind, text): (u16, &str, &str), requests: usize) {
    check_clean(host, 16);
    let (before, before_zygotes) = (Leftovers::at_rest(host), zygotes(host));
    assert_eq!(before_zygotes.len(), 1, "{attack}");
    let answer = host.get(&format!("/rpc/takeover/{attack}"));
    assert_eq!(answer.outcome(), (status, kind), "{attack}: {}", answer.text());
    assert!(status != 200 || answer.text().starts_with(text), "{attack}: {}", answer.text());
    check_clean(host, requests);
    assert_eq!(zygotes(host), before_zygotes, "{attack}: the zygote is another one");
    let taken = r#"fezz_processes{function="takeover@v1"}"#;
    wait_for("the permit to be released", || (host.metric(taken) == 0.0).then_some(()));
    Leftovers::wait_for_at_most(&before, host);
}

const ATTACKS: [(&str, (u16, &str, &str)); 12] = [
    ("overwrites_its_memory", (502, "function_crashed", "")),
    ("overwrites_its_statics", (200, "", "modified")),
    ("signals_every_process", (200, "", "hit 0")),
    ("forks_further", (200, "", "forked 0")),
    ("asks_for_capabilities", (200, "", "got 0")),
    ("attaches_to_others", (200, "", "attached 0")),
    ("holds_descriptors", (200, "", "held ")),
    ("sets_flags", (200, "", "set")),
    ("sends_on_every_socket", (502, "invalid_response", "")),
    ("forges_control_packets", (502, "invalid_response", "")),
    ("closes_its_socket_and_goes_on", (504, "deadline_exceeded", "")),
    ("starts_threads_without_end", (504, "deadline_exceeded", "")),
];

fn check(attack: &str) {
    let (_, expected) = ATTACKS.into_iter().find(|(known, _)| *known == attack).unwrap();
    check_with(&Host::start(site()), attack, expected, AFTER);
}

macro_rules! attacks {
    ($($name:ident: $attack:literal;)*) => {
        $(
            #[test]
            fn $name() {
                check($attack);
            }
        )*
    };
}

attacks! {
    overwriting_its_memory_changes_no_other_requests_memory: "overwrites_its_memory";
    overwriting_its_statics_changes_no_other_requests_statics: "overwrites_its_statics";
    signals_to_all_visible_processes_kill_no_other_process: "signals_every_process";
    forking_as_the_zygote_does_is_refused: "forks_further";
    asking_for_capabilities_grants_none: "asks_for_capabilities";
    attaching_to_other_processes_is_refused: "attaches_to_others";
    holding_every_descriptor_blocks_no_other_request: "holds_descriptors";
    setting_flags_on_every_descriptor_changes_no_other_requests_descriptors: "sets_flags";
    sending_on_every_socket_reaches_only_its_own_request: "sends_on_every_socket";
    forged_control_packets_are_ignored: "forges_control_packets";
    a_process_that_closes_its_socket_and_goes_on_is_killed_at_its_deadline: "closes_its_socket_and_goes_on";
    a_process_that_starts_threads_without_end_is_killed_at_its_deadline: "starts_threads_without_end";
}

/// Runs all attacks one after the other against one zygote.
fn check_all(host: &Host) {
    const FEWER_AFTER: usize = 50;
    for (attack, expected) in ATTACKS {
        check_with(host, attack, expected, FEWER_AFTER);
    }
}

#[test]
fn no_other_process_is_affected_in_the_jail_of_an_ordinary_users_host() {
    if is_root() {
        check_all(&Host::unprivileged(site(), &[]));
    }
}

#[test]
fn no_other_process_is_affected_inside_a_wrapper_that_leaves_no_capability() {
    if let Some(host) = Host::in_bwrap(site(), &[]) {
        check_all(&host);
    }
}

#[test]
fn no_other_process_is_affected_by_a_function_that_may_send_messages() {
    let site = Site::new();
    let mut manifest = manifest();
    manifest["network"] = json!({"connect": [443]});
    site.install("takeover@v1", TAKEOVER, manifest);
    let host = Host::start(site);
    for attack in ["sends_on_every_socket", "forges_control_packets", "sets_flags", "signals_every_process"] {
        let (_, expected) = ATTACKS.into_iter().find(|(known, _)| *known == attack).unwrap();
        check_with(&host, attack, expected, 50);
    }
}

/// Checks that the client gets the answer and that the process is killed half a second later.
fn check_end_after_the_answer(attack: &str, spare: u32) {
    let site = Site::new();
    let mut manifest = manifest();
    manifest["spare"] = spare.into();
    manifest["timeout_ms"] = 60_000.into();
    manifest["limits"] = json!({"concurrency": 1, "queue": 8});
    site.install("takeover@v1", TAKEOVER, manifest);
    let host = Host::start(site);
    check_clean(&host, 4);
    let answer = host.get(&format!("/rpc/takeover/{attack}"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "answered"));
    let begun = Instant::now();
    check_clean(&host, 1);
    assert!(begun.elapsed() < Duration::from_secs(3), "its permit was released after {:?}", begun.elapsed());
    check_clean(&host, 50);
}

#[test]
fn a_process_that_goes_on_after_its_answer_is_killed_soon_and_its_permit_released() {
    check_end_after_the_answer("answers_and_goes_on", 4);
}

#[test]
fn a_process_that_goes_on_after_its_answer_is_killed_soon_without_idle_processes() {
    check_end_after_the_answer("answers_and_goes_on", 0);
}

#[test]
fn busy_threads_end_with_the_answer() {
    check_end_after_the_answer("answers_and_leaves_busy_threads", 4);
}
