//! The `fork` executor: a zygote that has loaded the module, and a process forked from it for each request.

use crate::harm::check_all;
use crate::harness::{
    AUTHOR, Answer, HARMFUL, Host, Leftovers, Site, TAKEOVER, alone, binary, connect, forked, is_root, many,
    wait_for, zygotes,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::{Duration, Instant};

/// A site with one function of the `fork` executor, with `more` in its manifest.
fn site_of(module: &str, more: Value) -> Site {
    let site = Site::new();
    install(&site, "forked@v1", module, more);
    site
}

fn install(site: &Site, name: &str, module: &str, more: Value) {
    let mut manifest = more;
    manifest["execution"] = "fork".into();
    site.install(name, module, manifest);
}

/// Runs `look` on hosts of every kind: jailed as root and as an ordinary user, in a wrapper, without a jail.
fn each_host(make: impl Fn() -> Site, flags: &[&str], look: impl Fn(Host)) {
    look(Host::with_flags(make(), flags));
    if is_root() {
        look(Host::unprivileged(make(), flags));
    }
    Host::in_bwrap(make(), flags).into_iter().for_each(&look);
    look(Host::with_flags(make(), &[&["--jail", "off"], flags].concat()));
}

/// Waits for the host's only zygote.
fn zygote(host: &Host) -> Pid {
    wait_for("one zygote", || <[Pid; 1]>::try_from(zygotes(host)).ok())[0]
}

fn spare(host: &Host) -> f64 {
    host.metric(r#"fezz_spare_processes{function="forked@v1"}"#)
}

fn lines(host: &Host, part: &str) -> usize {
    let has_part = |line: &&Value| {
        let text = |key: &str| line[key].as_str().unwrap_or_default().contains(part);
        text("message") || text("line")
    };
    host.log().iter().filter(has_part).count()
}

#[test]
fn a_module_is_loaded_once_and_each_request_sees_only_its_own_changes() {
    each_host(
        || site_of(TAKEOVER, json!({"spare": 3})),
        &[],
        |host| {
            for answer in many(host.address, "/rpc/forked/facts", 200) {
                let text = answer.text();
                assert!(text.starts_with("loads=1 forks=1 requests=1 modified=0 "), "{text}");
            }
            assert_eq!((lines(&host, "loaded"), zygotes(&host).len()), (1, 1));
        },
    );
}

/// PID 1 of a namespace can't stop itself by a signal: it goes on.
const NO_STOP: (&str, u16, &str) = ("raises_sigstop", 200, "");

fn check_harms(flags: &[&str], instead: &[(&str, u16, &str)], left_out: &[&str]) {
    let _machine = alone();
    let host = check_all(&json!({"execution": "fork"}), flags, instead, left_out);
    wait_for("the end of every forked process", || forked(&host).is_empty().then_some(()));
    assert_eq!(lines(&host, "a zygote ended by itself"), 0);
}

#[test]
fn each_harm_ends_the_same_in_a_forked_process() {
    check_harms(&[], &[NO_STOP], &[]);
}

#[test]
fn each_harm_ends_the_same_without_a_jail() {
    // The brother is a child of the zygote, in no process group that the zygote knows: it ends only with the zygote.
    check_harms(&["--jail", "off"], &[], &["leaves_a_brother_behind"]);
}

#[test]
fn the_log_names_an_abort_and_an_exceeded_cpu_limit() {
    each_host(
        || {
            let site = Site::new();
            site.harm("aborts", json!({"execution": "fork"}));
            site.harm("loops_for_ever", json!({"execution": "fork", "limits": {"cpu_ms": 1}}));
            site
        },
        &[],
        |host| {
            for (harm, name) in [("aborts", "SIGABRT"), ("loops_for_ever", "limits.cpu_ms")] {
                assert_eq!(host.get(&format!("/rpc/{harm}")).outcome(), (502, "function_crashed"));
                host.logged(name, |line| line["error"].as_str().is_some_and(|error| error.contains(name)));
            }
        },
    );
}

#[test]
fn a_deadline_ends_one_process_while_others_of_its_zygote_go_on() {
    each_host(
        || site_of(AUTHOR, json!({"timeout_ms": 1000})),
        &[],
        |host| {
            let begun = Instant::now();
            host.get("/rpc/forked/pid");
            let overdue = host.client("GET", "/rpc/forked/sleep?ms=60000").begin();
            // The second request is under way when the deadline of the first passes.
            for _ in 0..2 {
                assert_eq!(host.get("/rpc/forked/sleep?ms=600").text(), "slept");
            }
            assert!(begun.elapsed() > Duration::from_millis(1000));
            assert_eq!(Answer::read(overdue, begun).outcome(), (504, "deadline_exceeded"));
            wait_for("the end of both", || forked(&host).is_empty().then_some(()));
            assert_eq!(lines(&host, "a zygote ended by itself"), 0);
        },
    );
}

#[test]
fn a_client_that_goes_away_has_its_forked_process_killed_at_once() {
    let host = Host::start(site_of(AUTHOR, json!({"timeout_ms": 600_000})));
    let stream = host.client("GET", "/rpc/forked/sleep?ms=600000").begin();
    host.logged("the function", |line| line["line"] == "sleeping");
    assert_eq!(forked(&host).len(), 1);
    drop(stream);
    wait_for("the process's end", || forked(&host).is_empty().then_some(()));
    host.logged("a line of its own", |line| line["kind"] == "client_gone");
    let taken = r#"fezz_processes{function="forked@v1"}"#;
    wait_for("the permit to be released", || (host.metric(taken) == 0.0).then_some(()));
}

#[test]
fn stderr_of_a_forked_process_is_logged_with_function_and_request() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 2})));
    for _ in 0..10 {
        let answer = host.get("/rpc/forked/log");
        let request_id = answer.header("x-request-id").unwrap();
        for text in ["first line", "no newline"] {
            host.logged(text, |line| {
                line["line"] == text && line["function"] == "forked@v1" && line["request_id"] == request_id
            });
        }
    }
}

#[test]
fn more_stderr_than_a_pipe_holds_blocks_no_request() {
    let site = site_of(HARMFUL, json!({"env": {"HARM": "floods_stderr"}}));
    let host = Host::with_flags(site, &["--stderr-bytes", "100000"]);
    for _ in 0..3 {
        let answer = host.get("/rpc/forked");
        assert_eq!(answer.text(), "well");
        let request_id = answer.header("x-request-id").unwrap();
        host.logged("what isn't logged", |line| {
            line["dropped_bytes"].as_u64().is_some_and(|bytes| bytes > 8_000_000)
                && line["request_id"] == request_id
        });
    }
}

#[test]
fn large_bodies_go_both_ways() {
    let body: Vec<u8> = (0..10_u32 << 20).map(|index| (index % 251) as u8).collect();
    for spare in [0, 2] {
        let host = Host::start(site_of(AUTHOR, json!({"spare": spare})));
        for _ in 0..3 {
            let answer = host.client("POST", "/rpc/forked").body(body.clone()).send();
            assert_eq!((answer.status, answer.body == body), (200, true));
        }
    }
}

#[test]
fn a_killed_zygote_is_replaced_and_others_continue() {
    for spare in [0, 4] {
        let site = site_of(AUTHOR, json!({"spare": spare}));
        install(&site, "other@v1", AUTHOR, json!({}));
        let host = Host::start(site);
        host.get("/rpc/forked/pid");
        let killed = zygote(&host);
        let other = host.client("GET", "/rpc/other/sleep?ms=1500").begin();
        host.logged("the other function", |line| line["line"] == "sleeping");
        let lost = host.client("GET", "/rpc/forked/sleep?ms=600000").begin();
        host.logged("the function", |line| line["line"] == "sleeping" && line["function"] == "forked@v1");
        kill_process(killed, Signal::KILL).unwrap();
        assert_eq!(Answer::read(lost, Instant::now()).outcome(), (502, "function_crashed"));
        for answer in many(host.address, "/rpc/forked/pid", 100) {
            assert_eq!(answer.outcome(), (200, ""));
        }
        assert!(!zygotes(&host).contains(&killed));
        assert_eq!(Answer::read(other, Instant::now()).text(), "slept");
    }
}

#[test]
fn a_zygote_whose_processes_crash_repeatedly_is_replaced() {
    let site = Site::new();
    site.harm("aborts", json!({"execution": "fork", "spare": 4}));
    let host = Host::start(site);
    host.get("/rpc/aborts");
    let first = zygote(&host);
    // A few more than the limit, for the processes that were forked before.
    for answer in many(host.address, "/rpc/aborts", 110) {
        assert_eq!(answer.outcome(), (502, "function_crashed"));
    }
    wait_for("another zygote", || {
        host.get("/rpc/aborts");
        zygotes(&host).iter().all(|zygote| *zygote != first).then_some(())
    });
}

#[test]
fn killing_a_zygote_affects_only_the_request_that_arrives_at_that_moment() {
    // Each kill comes before the zygote has served long enough, so the host starts the next one with growing delay.
    const KILLS: usize = 4;
    let host = Host::start(site_of(AUTHOR, json!({"spare": 2})));
    for kill in 0..KILLS {
        assert_eq!(host.get("/rpc/forked/pid").status, 200, "after kill {kill}");
        let killed = zygote(&host);
        kill_process(killed, Signal::KILL).unwrap();
        // At once, when the host may not have noticed the kill yet.
        let outcome = host.get("/rpc/forked/pid");
        assert!([200, 502, 503].contains(&outcome.status), "{}", outcome.text());
        // Idle children outlive their zygote by a moment and may serve. A new zygote shows that the host noticed the
        // kill.
        wait_for("a request that another zygote serves", || {
            let is_served = host.get("/rpc/forked/pid").status == 200;
            (is_served && matches!(zygotes(&host)[..], [other] if other != killed)).then_some(())
        });
    }
}

#[test]
fn a_hung_zygote_is_detected_and_replaced() {
    for spare in [0, 2] {
        let host = Host::start(site_of(AUTHOR, json!({"spare": spare, "timeout_ms": 60_000})));
        host.get("/rpc/forked/pid");
        let stopped = zygote(&host);
        kill_process(stopped, Signal::STOP).unwrap();
        let begun = Instant::now();
        // Idle processes serve some of them.
        for answer in many(host.address, "/rpc/forked/pid", 8) {
            assert!([(200, ""), (502, "function_crashed")].contains(&answer.outcome()), "{}", answer.text());
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        wait_for("one that is served", || (host.get("/rpc/forked/pid").status == 200).then_some(()));
        assert_ne!(zygote(&host), stopped);
        host.logged("the reason", |line| {
            line["message"].as_str().is_some_and(|text| text.contains("no heartbeat"))
        });
    }
}

#[test]
fn a_host_killed_by_sigkill_leaves_neither_zygote_nor_forked_process() {
    each_host(
        || site_of(AUTHOR, json!({"spare": 4, "timeout_ms": 600_000})),
        &[],
        |mut host| {
            many(host.address, "/rpc/forked/pid", 16);
            let _running = host.client("GET", "/rpc/forked/sleep?ms=600000").begin();
            host.logged("the function", |line| line["line"] == "sleeping");
            wait_for("processes that wait", || (forked(&host).len() > 2).then_some(()));
            host.signal(Signal::KILL);
            host.ended();
            wait_for("the end of every process", || (Leftovers::of_dead(&host) == 0).then_some(()));
        },
    );
}

/// A module that fails to load: requests fail at once, the host retries with exponential backoff, and a fixed module
/// loads.
fn check_load_failure(harm: &str, reason: &str) {
    const REQUESTS: usize = 100;
    let more = json!({"env": {"HARM": harm}, "timeout_ms": 1500, "spare": 2});
    let host = Host::start(site_of(HARMFUL, more));
    for _ in 0..2 {
        let answer = host.get("/rpc/forked");
        assert_eq!(answer.outcome(), (503, "module_failed"), "{harm}");
        assert!(answer.took < Duration::from_millis(2500), "{harm}: {:?}", answer.took);
    }
    let begun = Instant::now();
    for answer in many(host.address, "/rpc/forked", REQUESTS) {
        assert_eq!(answer.outcome(), (503, "module_failed"), "{harm}");
    }
    // Retries after 100, 200, 400... ms: as many as fit into the elapsed time, and a few from before.
    let tries_max = 4 + (begun.elapsed().as_millis() / 100).max(1).ilog2() as usize;
    let tries = lines(&host, "module failed to load; retry in ");
    assert!((1..=tries_max).contains(&tries), "{harm}: {tries} tries in {:?}", begun.elapsed());
    host.logged(reason, |line| {
        ["line", "error"].iter().any(|key| line[*key].as_str().is_some_and(|text| text.contains(reason)))
    });
    install(&host.site, "forked@v1", HARMFUL, json!({"env": {"HARM": "answers_well"}}));
    wait_for("the better module", || (host.get("/rpc/forked").text() == "well").then_some(()));
    wait_for("one zygote", || (zygotes(&host).len() == 1).then_some(()));
}

#[test]
fn an_on_load_that_refuses_fails_all_requests_until_the_module_is_fixed() {
    check_load_failure("refuses_to_load", "no license for this");
}

#[test]
fn an_on_load_that_crashes_fails_all_requests_until_the_module_is_fixed() {
    check_load_failure("crashes_in_on_load", "SIGABRT");
}

#[test]
fn a_constructor_that_crashes_fails_all_requests_until_the_module_is_fixed() {
    check_load_failure("crashes_in_its_constructor", "SIGABRT");
}

#[test]
fn an_on_load_that_never_returns_fails_all_requests_until_the_module_is_fixed() {
    check_load_failure("hangs_in_on_load", "wasn't ready within 1500 ms");
}

#[test]
fn an_on_load_that_leaves_a_thread_running_is_refused_with_the_fix() {
    check_load_failure("leaves_a_thread_in_on_load", "set `execution` to `spawn`");
}

#[test]
fn an_on_load_that_leaves_a_descriptor_open_is_refused_with_the_fix() {
    check_load_failure("leaves_a_pipe_in_on_load", "open them in each request");
}

/// All requests would share the device's flags and the receiver of its signals.
#[test]
fn an_on_load_that_leaves_a_device_open_is_refused_with_the_fix() {
    check_load_failure("leaves_a_device_in_on_load", "open them in each request");
}

#[test]
fn a_module_that_forges_reports_of_its_zygote_harms_only_its_own_requests() {
    let site = Site::new();
    site.harm("forges_reports_in_on_load", json!({"execution": "fork", "timeout_ms": 2000}));
    install(&site, "other@v1", AUTHOR, json!({}));
    let mut host = Host::start(site);
    for _ in 0..3 {
        let path = "/rpc/forges_reports_in_on_load";
        many(host.address, path, 20);
        assert_eq!(host.get("/rpc/other/pid").status, 200);
    }
    host.logged("the lie", |line| line["message"].as_str().is_some_and(|text| text.contains("a false one")));
    host.signal(Signal::TERM);
    assert!(host.ended().success());
    assert_eq!(Leftovers::of_dead(&host), 0);
}

#[test]
fn a_module_that_lacks_a_symbol_fails_no_other() {
    let site = site_of(AUTHOR, json!({}));
    install(&site, "lacking@v1", "libfezz_attempts.so", json!({}));
    let host = Host::start(site);
    assert!([404, 503].contains(&host.get("/rpc/lacking").status));
    assert_eq!(host.get("/rpc/forked/pid").status, 200);
}

#[test]
fn releases_that_failed_to_load_are_forgotten_when_a_newer_one_arrives() {
    const RELEASES: usize = 4;
    let host = Host::start(site_of(HARMFUL, json!({"env": {"HARM": "refuses_to_load"}})));
    let folders = std::fs::read_dir(host.site.root().join(".modules")).unwrap();
    let folder = folders.flatten().next().unwrap().path();
    let kept = || {
        let files = std::fs::read_dir(&folder).unwrap().flatten();
        files.filter(|file| file.path().extension().is_some_and(|end| end == "so")).count()
    };
    let module = std::fs::read(binary(HARMFUL)).unwrap();
    let file = host.site.function("forked@v1").join(HARMFUL);
    for release in 1..=RELEASES {
        // Bytes after the end of an ELF file are ignored, but change its digest.
        std::fs::write(file.with_file_name(".module"), [&module[..], &vec![0; release]].concat()).unwrap();
        std::fs::rename(file.with_file_name(".module"), &file).unwrap();
        wait_for("a try of its own", || {
            (host.get("/rpc/forked").status == 503 && lines(&host, "serving forked@v1") > release)
                .then_some(())
        });
        host.get("/rpc/forked");
    }
    wait_for("the end of all copies but one", || (kept() == 1).then_some(()));
}

#[test]
fn a_new_release_serves_and_the_old_zygote_ends_with_its_idle_processes() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4, "env": {"RELEASE": "old"}})));
    many(host.address, "/rpc/forked/pid", 32);
    let old = zygote(&host);
    wait_for("processes that wait", || (!forked(&host).is_empty()).then_some(()));
    let running = host.client("GET", "/rpc/forked/sleep?ms=1500").begin();
    host.logged("the function", |line| line["line"] == "sleeping");
    install(&host.site, "forked@v1", AUTHOR, json!({"spare": 4, "env": {"RELEASE": "new"}}));
    wait_for("the new release", || (host.get("/rpc/forked/env").text() == "RELEASE=new").then_some(()));
    assert_eq!(Answer::read(running, Instant::now()).text(), "slept");
    wait_for("the old zygote's end", || (!zygotes(&host).contains(&old)).then_some(()));
    assert_eq!(zygotes(&host).len(), 1);
    assert_eq!(lines(&host, "a zygote ended by itself"), 0);
}

#[test]
fn a_function_that_is_removed_leaves_no_zygote() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    many(host.address, "/rpc/forked/pid", 32);
    std::fs::remove_dir_all(host.site.function("forked@v1")).unwrap();
    wait_for("the end of every process", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn a_request_that_began_before_its_function_was_removed_leaves_no_zygote() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    let head = "POST /rpc/forked HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";
    let mut upload = connect(host.address);
    upload.write_all(format!("{head}12345").as_bytes()).unwrap();
    wait_for("the request", || (host.metric("fezz_requests_in_flight") == 1.0).then_some(()));
    std::fs::remove_dir_all(host.site.function("forked@v1")).unwrap();
    wait_for("the removal", || (host.get("/rpc/forked").status == 404).then_some(()));
    upload.write_all(b"67890").unwrap();
    assert_eq!(Answer::read(upload, Instant::now()).status, 200);
    wait_for("the end of every process", || Some(Leftovers::of(&host)).filter(Leftovers::is_quiet));
}

#[test]
fn idle_processes_are_counted_by_metrics_and_end_some_seconds_after_the_last_request() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 3})));
    many(host.address, "/rpc/forked/pid", 32);
    let zygotes_told = r#"fezz_zygotes{function="forked@v1"}"#;
    assert!(host.metric(zygotes_told) == 1.0 && (1.0..=3.0).contains(&spare(&host)), "{}", spare(&host));
    let begun = Instant::now();
    wait_for("the end of the idle processes", || (spare(&host) == 0.0).then_some(()));
    assert!(begun.elapsed() > Duration::from_secs(5), "{:?}", begun.elapsed());
    wait_for("their end", || forked(&host).is_empty().then_some(()));
    assert_eq!((host.metric(zygotes_told), zygotes(&host).len()), (1.0, 1));
}

#[test]
fn with_spare_0_no_process_is_kept_idle() {
    let host = Host::start(site_of(AUTHOR, json!({"spare": 0})));
    many(host.address, "/rpc/forked/pid", 100);
    wait_for("the end of every forked process", || forked(&host).is_empty().then_some(()));
    assert_eq!(spare(&host), 0.0);
}

#[test]
fn idle_processes_of_all_functions_together_are_bounded() {
    let site = site_of(AUTHOR, json!({"spare": 8}));
    install(&site, "other@v1", AUTHOR, json!({"spare": 8}));
    let host = Host::with_flags(site, &["--spare-total", "3"]);
    many(host.address, "/rpc/forked/pid", 64);
    many(host.address, "/rpc/other/pid", 64);
    let other = r#"fezz_spare_processes{function="other@v1"}"#;
    let all = spare(&host) + host.metric(other);
    assert!((1.0..=3.0).contains(&all), "{all}");
    wait_for("no more processes than the limit", || (forked(&host).len() <= 3).then_some(()));
}

#[test]
fn the_longest_idle_zygotes_end_when_there_are_too_many() {
    let site = Site::new();
    let names = ["first", "second", "third", "fourth"];
    names.iter().for_each(|name| install(&site, &format!("{name}@v1"), AUTHOR, json!({"spare": 0})));
    let host = Host::with_flags(site, &["--zygotes", "2"]);
    for name in names {
        assert_eq!(host.get(&format!("/rpc/{name}/pid")).status, 200);
    }
    wait_for("two zygotes", || (zygotes(&host).len() == 2).then_some(()));
    let has = |name: &str| host.metric(&format!(r#"fezz_zygotes{{function="{name}@v1"}}"#)) == 1.0;
    assert!(has("third") && has("fourth"));
}

#[test]
fn sigterm_lets_running_requests_finish_leaves_nothing_and_exits_0() {
    each_host(
        || site_of(AUTHOR, json!({"spare": 4})),
        &[],
        |host| {
            many(host.address, "/rpc/forked/pid", 16);
            host.assert_drains("/rpc/forked/sleep?ms=600");
        },
    );
}

#[test]
fn thousands_of_requests_leave_no_process_no_descriptor_and_no_zombie() {
    const REQUESTS: usize = 3000;
    let host = Host::start(site_of(AUTHOR, json!({"spare": 4})));
    many(host.address, "/rpc/forked/pid", REQUESTS / 10);
    let (before, pids) = (Leftovers::at_rest(&host), zygotes(&host));
    let pids_inside: BTreeSet<String> =
        many(host.address, "/rpc/forked/pid", REQUESTS).iter().map(Answer::text).collect();
    assert_eq!(pids_inside, BTreeSet::from(["1".to_owned()]), "each is the first in a namespace of its own");
    Leftovers::wait_for_at_most(&before, &host);
    wait_for("no zombie", || (crate::harness::zombies(&host) == 0).then_some(()));
    assert_eq!(zygotes(&host), pids);
}
