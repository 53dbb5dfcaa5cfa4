//! The executor `in-process`: a module in the host's own process.

use crate::harness::{AUTHOR, Answer, Host, Site, many, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

/// Answers with the number of requests since it was loaded, times 100 for each `on_unload`; fails to load if its variable
/// says so.
const COUNTER: &str = r#"
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include "fezz.h"
    static _Atomic int calls, unloads;
    FezzOwned fezz_handle_v2(FezzSlice request) {
        char number[16], *out = malloc(64);
        int digits = snprintf(number, sizeof number, "%d", ++calls + 100 * unloads);
        size_t at = 0;
        out[at++] = (char)0xa2;
        memcpy(out + at, "\x66status\x18\xc8\x64" "body", 14); at += 14;
        out[at++] = (char)(0x40 + digits);
        memcpy(out + at, number, digits); at += digits;
        return (FezzOwned){(uint8_t *)out, at};
    }
    void fezz_free_v2(FezzOwned buffer) { free(buffer.ptr); }
    FezzOwned fezz_on_load_v2(FezzSlice context) {
        calls = 0;
        if (memmem(context.ptr, context.len, "REFUSE", 6)) return (FezzOwned){(uint8_t *)strdup("no table"), 8};
        return (FezzOwned){0, 0};
    }
    void fezz_on_unload_v2(void) { unloads++; }
"#;

fn counter(site: &Site, name: &str, more: Value) {
    of_c(site, name, COUNTER, more);
}

fn of_c(site: &Site, name: &str, text: &str, more: Value) {
    let mut more = more;
    more["execution"] = "in-process".into();
    site.install_c(name, text, more);
}

/// Installs a module.
fn in_process(site: &Site, name: &str, module: &str, more: Value) {
    let mut manifest = more;
    manifest["execution"] = "in-process".into();
    site.install(name, module, manifest);
}

const ALLOWED: &[&str] = &["--allow-in-process"];

fn mapped(host: &Host, part: &str) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", host.pid().as_raw_nonzero())).unwrap();
    maps.lines().filter(|line| line.contains(part)).count()
}

#[test]
fn a_module_is_served_in_the_hosts_process_only_where_that_is_allowed() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({}));
    in_process(&site, "g@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, &["--allow-in-process=f,h"]);
    assert_eq!(host.get("/rpc/f/pid").text(), host.pid().as_raw_nonzero().to_string());
    assert_eq!(host.get("/rpc/g/pid").status, 404);
    host.logged("the refusal", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("--allow-in-process=g"))
    });
    host.logged("what nothing confines", |line| {
        line["level"] == "WARN" && line["message"] == "in the host's own process, without a jail: f@v1"
    });
}

#[test]
fn without_the_flag_no_module_is_loaded_into_the_host() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    assert_eq!(host.get("/rpc/f/pid").status, 404);
    assert_eq!(mapped(&host, "f@v1"), 0);
}

#[test]
fn errors_and_panics_are_answered_as_from_a_process_and_the_host_lives_on() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({"env": {"NAME": "value"}}));
    let host = Host::with_flags(site, ALLOWED);
    for _ in 0..2 {
        assert_eq!(host.get("/rpc/f/panic").outcome(), (500, "function_panicked"));
        assert_eq!(host.get("/rpc/f/error").outcome(), (500, "function_error"));
        assert_eq!(host.client("POST", "/rpc/f/echo").body("x".repeat(100_000)).send().text().len(), 100_000);
    }
    assert_eq!(host.metric("fezz_module_loads_total"), 1.0);
}

#[test]
fn what_a_module_keeps_is_there_for_the_next_request() {
    let site = Site::new();
    counter(&site, "f@v1", json!({}));
    let host = Host::with_flags(site, ALLOWED);
    assert_eq!([host.get("/rpc/f").text(), host.get("/rpc/f").text()], ["1", "2"]);
    assert_eq!(many(host.address, "/rpc/f", 98).len(), 98);
    assert_eq!(host.get("/rpc/f").text(), "101");
}

#[test]
fn an_idle_module_is_evicted_and_loaded_again_at_the_next_request() {
    let site = Site::new();
    counter(&site, "f@v1", json!({}));
    let host = Host::with_flags(site, &["--allow-in-process", "--in-process-idle-ms", "1"]);
    assert_eq!(host.get("/rpc/f").text(), "1");
    let evicted = r#"fezz_module_unloads_total{reason="idle",result="kept"}"#;
    wait_for("the eviction", || (host.metric(evicted) >= 1.0).then_some(()));
    let again: u32 = host.get("/rpc/f").text().parse().unwrap();
    assert!(again % 100 == 1 && again > 100, "{again}: loaded again, in the same image");
    assert!(mapped(&host, "f@v1") > 0 && host.metric("fezz_modules_mapped") == 1.0);
}

#[test]
fn an_idle_module_that_may_be_unmapped_is() {
    let site = Site::new();
    counter(&site, "f@v1", json!({"unload": true}));
    let host = Host::with_flags(site, &["--allow-in-process", "--in-process-idle-ms", "1"]);
    assert_eq!(host.get("/rpc/f").text(), "1");
    wait_for("the eviction", || (host.metric("fezz_modules_mapped") == 0.0).then_some(()));
    assert_eq!(mapped(&host, "f@v1"), 0);
    assert_eq!(host.get("/rpc/f").text(), "1", "a new image");
}

#[test]
fn a_late_call_is_504_and_too_many_of_them_refuse_the_function_until_they_end() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({"timeout_ms": 100}));
    let host = Host::with_flags(site, &["--allow-in-process", "--overdue", "2"]);
    for _ in 0..2 {
        assert_eq!(host.get("/rpc/f/sleep?ms=3000").outcome(), (504, "deadline_exceeded"));
    }
    assert_eq!(host.metric(r#"fezz_overdue_calls{function="f@v1"}"#), 2.0);
    assert_eq!(host.get("/rpc/f/pid").outcome(), (503, "overloaded"));
    wait_for("the end of the late calls", || (host.get("/rpc/f/pid").status == 200).then_some(()));
}

#[test]
fn a_new_release_is_loaded_beside_the_old_one_which_goes_with_its_last_call() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, ALLOWED);
    let client = host.client("GET", "/rpc/f@v1/sleep?ms=1500").begin();
    host.logged("the call", |line| line["message"] == "module loaded into this process");
    counter(&host.site, "f@v1", json!({}));
    wait_for("the new release", || (host.get("/rpc/f@v1").text() == "1").then_some(()));
    let replaced = |host: &Host| host.log().iter().filter(|line| line["reason"] == "replaced").count();
    assert_eq!(replaced(&host), 0, "its call still runs");
    let answer = Answer::read(client, Instant::now());
    assert_eq!(answer.text(), "slept");
    wait_for("the end of the old release", || (replaced(&host) == 1).then_some(()));
}

#[test]
fn a_module_that_fails_to_load_is_503_and_tried_again_later() {
    let site = Site::new();
    counter(&site, "f@v1", json!({"env": {"REFUSE": "1"}}));
    let host = Host::with_flags(site, ALLOWED);
    assert_eq!(host.get("/rpc/f").outcome(), (503, "module_failed"));
    host.logged("the reason", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("no table; retry in 0.1 s (attempt 1)"))
    });
}

/// Of glibc: one variable for all libraries of the process, as those of C++ templates are by default.
#[test]
fn a_module_with_a_variable_that_is_one_for_the_whole_process_is_refused() {
    let site = Site::new();
    let unique = "__asm__(\".globl cells\\n.type cells, @gnu_unique_object\\n.data\\ncells: .quad 0\\n.size cells, 8\\n.text\");";
    let text = format!("{COUNTER}\n{unique}\n");
    of_c(&site, "f@v1", &text, json!({}));
    site.install_c("g@v1", &text, json!({}));
    let host = Host::with_flags(site, ALLOWED);
    assert_eq!(host.get("/rpc/f").status, 404);
    host.logged("the refusal", |line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("`cells`") && text.contains("-fno-gnu-unique"))
    });
    assert_eq!(host.get("/rpc/g").text(), "1", "in a process of its own");
}

/// `unload` names what a thread-local value of Rust prevents, and `-z nodelete`.
#[test]
fn a_module_that_stays_mapped_though_it_may_not_counts_once_however_often_it_is_evicted() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({"unload": true}));
    let host = Host::with_flags(site, &["--allow-in-process", "--in-process-idle-ms", "1"]);
    let evicted = r#"fezz_module_unloads_total{reason="idle",result="still_mapped"}"#;
    for times in [1.0, 2.0, 3.0] {
        assert_eq!(host.get("/rpc/f/pid").status, 200);
        wait_for("the eviction", || (host.metric(evicted) >= times).then_some(()));
    }
    assert_eq!(host.metric("fezz_modules_mapped"), 1.0);
}

#[test]
fn a_replaced_module_whose_on_load_failed_is_unmapped_if_it_may_be() {
    let site = Site::new();
    counter(&site, "f@v1", json!({"unload": true, "env": {"REFUSE": "1"}}));
    let host = Host::with_flags(site, ALLOWED);
    assert_eq!(host.get("/rpc/f").outcome(), (503, "module_failed"));
    assert_eq!(host.metric("fezz_modules_mapped"), 1.0);
    in_process(&host.site, "f@v1", AUTHOR, json!({}));
    wait_for("the new release", || (host.get("/rpc/f/pid").status == 200).then_some(()));
    wait_for("the end of the old one", || (host.metric("fezz_modules_mapped") == 1.0).then_some(()));
}

#[test]
fn calls_that_hang_leave_threads_for_other_functions() {
    let site = Site::new();
    in_process(&site, "hung@v1", AUTHOR, json!({}));
    in_process(&site, "f@v1", AUTHOR, json!({"timeout_ms": 5000}));
    let host = Host::with_flags(site, &["--allow-in-process", "--in-process-threads", "8"]);
    let hung: Vec<_> = (0..8).map(|_| host.client("GET", "/rpc/hung/sleep?ms=8000").begin()).collect();
    let taken = r#"fezz_processes{function="hung@v1"}"#;
    wait_for("the calls", || (host.metric(taken) >= 8.0).then_some(()));
    assert_eq!(host.get("/rpc/f/pid").status, 200);
    drop(hung);
}

#[test]
fn an_on_load_that_hangs_delays_the_hosts_end_by_seconds_only() {
    let site = Site::new();
    let hangs = COUNTER
        .replace("    calls = 0;", "    for (;;) sleep(1);")
        .replace("#include <stdio.h>", "#include <stdio.h>\n#include <unistd.h>");
    of_c(&site, "f@v1", &hangs, json!({"timeout_ms": 100}));
    let mut host = Host::with_flags(site, ALLOWED);
    assert_eq!(host.get("/rpc/f").outcome(), (504, "deadline_exceeded"));
    let asked = Instant::now();
    host.signal(Signal::TERM);
    assert!(host.ended().success());
    assert!(asked.elapsed() < std::time::Duration::from_secs(20), "{:?}", asked.elapsed());
}

/// What the documents say: nothing but trust protects the host.
#[test]
fn a_segfault_ends_the_host() {
    let site = Site::new();
    let harmful = COUNTER.replace("++calls", "*(volatile int *)8");
    of_c(&site, "f@v1", &harmful, json!({}));
    let mut host = Host::with_flags(site, ALLOWED);
    let _client = host.client("GET", "/rpc/f").begin();
    assert_eq!(host.ended().signal(), Some(Signal::SEGV.as_raw()));
}

#[test]
fn the_host_drains_with_modules_in_its_process() {
    let site = Site::new();
    in_process(&site, "f@v1", AUTHOR, json!({}));
    let mut host = Host::with_flags(site, ALLOWED);
    let client = host.client("GET", "/rpc/f/sleep?ms=1000").begin();
    host.logged("the call", |line| line["message"] == "module loaded into this process");
    host.signal(Signal::TERM);
    assert_eq!(Answer::read(client, Instant::now()).text(), "slept");
    assert!(host.ended().success());
}
