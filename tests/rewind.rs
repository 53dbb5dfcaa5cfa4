//! The `rewind` executor: a process serves request after request, and is put back to its snapshot after each.

use crate::harness::{AUTHOR, Answer, Host, Leftovers, Site, TAKEOVER, is_root, many, wait_for, zygotes};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Each process is compared whole with its snapshot after each request.
const COMPARE_ALL: [&str; 2] = ["--rewind-checks-percent", "100"];

/// A site with one function of the `rewind` executor, with `more` in its manifest.
fn site_of(module: &str, more: Value) -> Site {
    let site = Site::new();
    install(&site, module, more);
    site
}

fn install(site: &Site, module: &str, more: Value) {
    let mut manifest = more;
    manifest["execution"] = "rewind".into();
    site.install("rewound@v1", module, manifest);
}

fn host_of(module: &str, more: Value) -> Host {
    Host::with_flags(site_of(module, more), &COMPARE_ALL)
}

/// A function in C whose `fezz_handle_v2` has this body; it answers by `tell(text)`.
fn c_host(declarations: &str, body: &str, more: Value) -> Host {
    let text = format!(
        r#"
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        #include "fezz.h"
        static FezzOwned tell(const char *text) {{
            static uint8_t message[512];
            size_t length = strlen(text), at = 0;
            memcpy(message, "\xa2\x66status\x18\xc8\x64""body\x59", 16);
            at = 16;
            message[at++] = length >> 8;
            message[at++] = length & 0xff;
            memcpy(message + at, text, length);
            return (FezzOwned){{message, at + length}};
        }}
        {declarations}
        FezzOwned fezz_handle_v2(FezzSlice request) {{
            char text[256];
            {body}
            return tell(text);
        }}
        void fezz_free_v2(FezzOwned buffer) {{ (void)buffer; }}
        "#
    );
    let site = Site::new();
    let mut manifest = more;
    (manifest["execution"], manifest["spare"]) = ("rewind".into(), 2.into());
    site.install_c("rewound@v1", &text, manifest);
    Host::with_flags(site, &COMPARE_ALL)
}

/// How many requests ended so: `rewound`, `tainted` or `forked`.
fn served(host: &Host, result: &str) -> f64 {
    host.metric(&format!(r#"fezz_rewind_requests_total{{function="rewound@v1",result="{result}"}}"#))
}

fn differences(host: &Host) -> f64 {
    host.metric(r#"fezz_rewind_differences_total{function="rewound@v1"}"#)
}

/// Sends requests until a process is ready that was put back.
fn warm_up(host: &Host, path: &str) {
    wait_for("a process that was put back", || {
        host.get(path);
        (served(host, "rewound") > 0.0).then_some(())
    });
    wait_for("a process that waits", || {
        (host.metric(r#"fezz_spare_processes{function="rewound@v1"}"#) > 0.0).then_some(())
    });
}

fn lines(host: &Host, part: &str) -> usize {
    host.log().iter().filter(|line| line["message"].as_str().is_some_and(|text| text.contains(part))).count()
}

#[test]
fn each_request_finds_the_state_of_the_snapshot_and_its_own_random_numbers() {
    let make = || site_of(TAKEOVER, json!({"spare": 3}));
    let mut hosts = vec![Host::with_flags(make(), &COMPARE_ALL)];
    if is_root() {
        hosts.push(Host::unprivileged(make(), &COMPARE_ALL));
    }
    for host in hosts {
        warm_up(&host, "/rpc/rewound/facts");
        let mut numbers = HashSet::new();
        for answer in many(host.address, "/rpc/rewound/facts", 300) {
            let text = answer.text();
            assert!(text.starts_with("loads=1 forks=1 requests=1 modified=0 "), "{text}");
            let random = text.split(' ').find(|fact| fact.starts_with("random=")).unwrap().to_owned();
            assert!(numbers.insert(random), "{text}");
        }
        assert!(served(&host, "rewound") > 50.0, "{}", served(&host, "rewound"));
        assert_eq!((differences(&host), served(&host, "tainted")), (0.0, 0.0));
        assert_eq!(zygotes(&host).len(), 1);
    }
}

#[test]
fn what_a_request_writes_is_gone_in_the_next() {
    let declarations = r"
        static int in_data = 7, in_bss[100000];
        static __thread int in_thread = 3;
        static int *in_heap;
        FezzOwned fezz_on_load_v2(FezzSlice context) {
            (void)context;
            in_heap = malloc(1 << 20);
            memset(in_heap, 1, 1 << 20);
            return (FezzOwned){0, 0};
        }";
    let body = r#"
            char *mine = malloc(3000);
            volatile char deep[50000];
            sprintf(text, "%d %d %d %d %d %d", in_data, in_bss[0], in_bss[99999], in_thread, in_heap[0], in_heap[200000]);
            in_data = in_bss[0] = in_bss[99999] = in_thread = in_heap[0] = in_heap[200000] = getpid() + 1000;
            memset(mine, 'x', 3000);
            memset((char *)deep, 'x', sizeof deep);"#;
    let host = c_host(declarations, body, json!({}));
    warm_up(&host, "/rpc/rewound");
    for answer in many(host.address, "/rpc/rewound", 200) {
        assert_eq!(answer.text(), "7 0 0 3 16843009 16843009");
    }
    assert!(served(&host, "rewound") > 20.0 && differences(&host) == 0.0);
}

/// These need no new process: they leave nothing behind.
#[test]
fn a_request_that_reads_the_clock_and_logs_is_put_back() {
    let declarations = "#include <time.h>\n#include <sys/random.h>";
    let body = r#"
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            unsigned number;
            getrandom(&number, sizeof number, 0);
            fprintf(stderr, "by stderr\n");
            printf("by stdout\n");
            sprintf(text, "well");"#;
    let host = c_host(declarations, body, json!({}));
    warm_up(&host, "/rpc/rewound");
    many(host.address, "/rpc/rewound", 50);
    assert_eq!(served(&host, "tainted"), 0.0);
    host.logged("stdout", |line| line["line"] == "by stdout");
}

#[test]
fn a_request_with_a_lasting_effect_has_its_process_replaced() {
    for path in ["read?path=/no/such/file", "run?path=/bin/true"] {
        let host = host_of(AUTHOR, json!({"spare": 2}));
        warm_up(&host, "/rpc/rewound/empty");
        let (tainted, begun) = (served(&host, "tainted"), Instant::now());
        wait_for("a tainted request", || {
            host.get(&format!("/rpc/rewound/{path}"));
            (served(&host, "tainted") > tainted).then_some(())
        });
        assert!(begun.elapsed() < Duration::from_secs(15));
        assert_eq!(host.get("/rpc/rewound/empty").status, 200);
    }
}

#[test]
fn each_line_of_the_log_names_its_own_request() {
    let host = host_of(AUTHOR, json!({"spare": 2}));
    warm_up(&host, "/rpc/rewound/log");
    for _ in 0..20 {
        let answer = host.get("/rpc/rewound/log");
        let request_id = answer.header("x-request-id").unwrap();
        for text in ["first line", "no newline"] {
            host.logged(text, |line| line["line"] == text && line["request_id"] == request_id);
        }
    }
    assert!(served(&host, "rewound") > 10.0);
}

#[test]
fn bodies_of_every_size_go_both_ways() {
    let host = host_of(AUTHOR, json!({"spare": 2}));
    warm_up(&host, "/rpc/rewound/empty");
    for kib in [0, 1, 10, 100, 200, 240, 250, 256, 257, 1024, 9 * 1024] {
        let body: Vec<u8> = (0..kib * 1024_u32).map(|index| (index % 251) as u8).collect();
        for _ in 0..3 {
            let answer = host.client("POST", "/rpc/rewound").body(body.clone()).send();
            assert_eq!((answer.status, answer.body == body), (200, true), "{kib} KiB");
        }
    }
    assert_eq!(differences(&host), 0.0);
}

#[test]
fn a_deadline_and_a_client_that_goes_away_end_the_process() {
    let host = host_of(AUTHOR, json!({"spare": 2, "timeout_ms": 1500}));
    warm_up(&host, "/rpc/rewound/empty");
    assert_eq!(host.get("/rpc/rewound/sleep?ms=60000").outcome(), (504, "deadline_exceeded"));
    warm_up(&host, "/rpc/rewound/empty");
    let stream = host.client("GET", "/rpc/rewound/sleep?ms=1000").begin();
    host.logged("the function", |line| line["line"] == "sleeping");
    drop(stream);
    host.logged("a line of its own", |line| line["kind"] == "client_gone");
    let taken = r#"fezz_processes{function="rewound@v1"}"#;
    wait_for("the permit to be released", || (host.metric(taken) == 0.0).then_some(()));
    assert_eq!(lines(&host, "a zygote ended by itself"), 0);
}

/// The limit of the kernel would add up the time of all requests.
#[test]
fn processor_time_is_limited_for_each_request() {
    let body = r#"
            volatile unsigned long sum = 0;
            unsigned long end = memmem(request.ptr, request.len, "forever", 7) ? ~0ul : 60000000ul;
            for (unsigned long i = 0; i < end; i++) sum += i;
            sprintf(text, "summed");"#;
    let host = c_host("", body, json!({"limits": {"cpu_ms": 1000}, "timeout_ms": 30_000}));
    warm_up(&host, "/rpc/rewound/briefly");
    let rewound = served(&host, "rewound");
    for _ in 0..12 {
        assert_eq!(host.get("/rpc/rewound/briefly").text(), "summed");
    }
    assert!(served(&host, "rewound") > rewound + 8.0, "several seconds in one process");
    warm_up(&host, "/rpc/rewound/briefly");
    let answer = host.get("/rpc/rewound/forever");
    assert_eq!(answer.outcome(), (502, "function_crashed"), "{}", answer.text());
    host.logged("the reason", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("limits.cpu_ms"))
    });
}

/// Each of their calls goes through the host.
#[test]
fn threads_that_make_calls_without_end_delay_neither_their_deadline_nor_other_functions() {
    let declarations = r"
        #include <pthread.h>
        #include <sys/times.h>
        static void *call(void *unused) { struct tms times_used; for (;;) times(&times_used); return unused; }";
    let body = r#"
            pthread_t thread;
            if (memmem(request.ptr, request.len, "flood", 5)) {
                for (int i = 0; i < 60; i++) pthread_create(&thread, 0, call, 0);
                call(0);
            }
            sprintf(text, "well");"#;
    let more = json!({"timeout_ms": 2000, "limits": {"memory_bytes": 1 << 30}});
    let host = c_host(declarations, body, more);
    warm_up(&host, "/rpc/rewound");
    let begun = Instant::now();
    let flood = host.client("GET", "/rpc/rewound/flood").begin();
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..5 {
        let answer = host.get("/_health");
        assert!(answer.status == 200 && answer.took < Duration::from_secs(1), "{:?}", answer.took);
    }
    assert_eq!(Answer::read(flood, begun).outcome(), (504, "deadline_exceeded"));
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
}

#[test]
fn a_function_with_many_threads_gets_forked_processes() {
    let host = host_of(AUTHOR, json!({"spare": 2, "limits": {"threads": 65}}));
    check_fallback(&host, "threads", "the limit with `rewind` is 64");
}

#[test]
fn a_stack_that_grew_is_not_used_again() {
    let declarations = r"
        static int deep(int n) { volatile char page[4096]; page[0] = n; return n == 0 ? 0 : deep(n - 1) + page[0] * 0; }";
    let body = r#"sprintf(text, "%d", deep(700));"#;
    let host = c_host(declarations, body, json!({}));
    for _ in 0..20 {
        assert_eq!(host.get("/rpc/rewound").text(), "0");
        std::thread::sleep(Duration::from_millis(20));
    }
    wait_for("a replaced process", || {
        host.get("/rpc/rewound");
        (served(&host, "tainted") > 0.0).then_some(())
    });
    assert_eq!((served(&host, "rewound"), differences(&host)), (0.0, 0.0));
}

#[test]
fn a_killed_zygote_takes_its_waiting_processes_along_and_is_replaced() {
    let host = host_of(AUTHOR, json!({"spare": 3}));
    warm_up(&host, "/rpc/rewound/pid");
    let killed = zygotes(&host)[0];
    kill_process(killed, Signal::KILL).unwrap();
    wait_for("another zygote that serves", || {
        let is_served = host.get("/rpc/rewound/pid").status == 200;
        (is_served && matches!(zygotes(&host)[..], [other] if other != killed)).then_some(())
    });
    let rewound = served(&host, "rewound");
    wait_for("another process that is put back", || {
        host.get("/rpc/rewound/pid");
        (served(&host, "rewound") > rewound).then_some(())
    });
}

#[test]
fn a_process_that_is_killed_while_it_waits_costs_no_request() {
    let host = host_of(AUTHOR, json!({"spare": 3}));
    warm_up(&host, "/rpc/rewound/pid");
    let waiting = crate::harness::forked(&host);
    for process in &waiting {
        kill_process(*process, Signal::KILL).unwrap();
    }
    wait_for("their ends", || {
        let left = crate::harness::forked(&host);
        waiting.iter().all(|process| !left.contains(process)).then_some(())
    });
    for _ in 0..10 {
        assert_eq!(host.get("/rpc/rewound/pid").status, 200);
    }
}

#[test]
fn a_new_release_is_served_by_processes_of_its_own() {
    let host = host_of(AUTHOR, json!({"spare": 3, "env": {"RELEASE": "old"}}));
    warm_up(&host, "/rpc/rewound/env");
    let running = host.client("GET", "/rpc/rewound/sleep?ms=1500").begin();
    host.logged("the function", |line| line["line"] == "sleeping");
    install(&host.site, AUTHOR, json!({"spare": 3, "env": {"RELEASE": "new"}}));
    wait_for("the new release", || (host.get("/rpc/rewound/env").text() == "RELEASE=new").then_some(()));
    for _ in 0..50 {
        assert_eq!(host.get("/rpc/rewound/env").text(), "RELEASE=new");
    }
    assert_eq!(Answer::read(running, Instant::now()).text(), "slept");
    std::fs::remove_dir_all(host.site.function("rewound@v1")).unwrap();
    wait_for("the end of every process", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn a_host_that_ends_leaves_no_process() {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut host = host_of(AUTHOR, json!({"spare": 3}));
        warm_up(&host, "/rpc/rewound/pid");
        host.signal(signal);
        let ended = host.ended();
        assert!(signal == Signal::KILL || ended.success());
        wait_for("the end of every process", || (Leftovers::of_dead(&host) == 0).then_some(()));
    }
}

/// Where it is impossible, the function is forked: one line says why, and a metric.
fn check_fallback(host: &Host, reason: &str, text: &str) {
    wait_for("the fallback", || {
        assert_eq!(host.get("/rpc/rewound/pid").status, 200);
        let metric = format!(r#"fezz_rewind_fallbacks_total{{function="rewound@v1",reason="{reason}"}}"#);
        (host.metric(&metric) == 1.0).then_some(())
    });
    for answer in many(host.address, "/rpc/rewound/pid", 50) {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(lines(host, "can't be rewound"), 1);
    host.logged(text, |line| line["reason"].as_str().is_some_and(|reason| reason.contains(text)));
    assert!(served(host, "rewound") == 0.0 && served(host, "forked") > 50.0);
    assert!(host.metric(r#"fezz_spare_processes{function="rewound@v1"}"#) > 0.0, "prewarmed, as with fork");
}

#[test]
fn without_a_jail_each_request_gets_a_forked_process() {
    let host = Host::with_flags(site_of(AUTHOR, json!({"spare": 2})), &["--jail", "off"]);
    check_fallback(&host, "namespaces", "is the jail off");
}

#[test]
fn in_a_wrapper_that_forbids_namespaces_each_request_gets_a_forked_process() {
    if let Some(host) = Host::in_bwrap(site_of(AUTHOR, json!({"spare": 2})), &[]) {
        check_fallback(&host, "namespaces", "does a wrapper forbid");
    }
}

#[test]
fn a_module_that_handles_signals_gets_forked_processes() {
    let declarations = r"
        #include <signal.h>
        static void on_trap(int signal) { (void)signal; }
        FezzOwned fezz_on_load_v2(FezzSlice context) {
            (void)context;
            signal(SIGTRAP, on_trap);
            return (FezzOwned){0, 0};
        }";
    let host = c_host(declarations, r#"sprintf(text, "well");"#, json!({}));
    check_fallback(&host, "signal_handlers", "how signals are handled");
}

#[test]
fn with_no_spare_processes_each_request_gets_a_forked_one() {
    let host = host_of(AUTHOR, json!({"spare": 0}));
    for answer in many(host.address, "/rpc/rewound/pid", 50) {
        assert_eq!(answer.status, 200);
    }
    assert_eq!((served(&host, "forked"), served(&host, "rewound")), (50.0, 0.0));
}

#[test]
fn the_call_by_which_the_runner_parks_is_refused_to_the_function() {
    let body = r#"
            static const uint8_t forged[] = "\xa1\x66status\x18\xc8";
            sprintf(text, "%ld", syscall(0xfe2200, forged, sizeof forged - 1));"#;
    let host = c_host("", body, json!({}));
    host.get("/rpc/rewound");
    wait_for("a process that waits", || {
        (host.metric(r#"fezz_spare_processes{function="rewound@v1"}"#) > 0.0).then_some(())
    });
    assert_eq!(host.get("/rpc/rewound").outcome(), (502, "invalid_response"));
    host.logged("the reason", |line| {
        line["error"].as_str().is_some_and(|error| error.contains("only the runner"))
    });
}

/// What doesn't fit into the buffer of a waiting process gets a process of its own. The host has to know before it writes: the
/// authority is in the message twice.
#[test]
fn requests_of_any_length_are_answered() {
    let host = host_of(AUTHOR, json!({"spare": 2}));
    warm_up(&host, "/rpc/rewound@v1/request");
    for kib in (200..=264).step_by(4) {
        let authority = "a".repeat(20_000);
        let answer =
            host.client("POST", "/rpc/rewound@v1/empty").host(&authority).body(vec![b'b'; kib * 1024]).send();
        assert_eq!(answer.status, 200, "{kib} KiB: {}", answer.text());
    }
}
