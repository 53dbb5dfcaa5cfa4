//! A host's start and end.

use crate::harness::{AUTHOR, Census, Host, Site, sockets_of, wait_for};
use rustix::process::Signal;
use serde_json::json;
use std::time::Instant;

#[test]
fn sigterm_finishes_what_runs_and_exits_0() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let mut host = Host::start(site);
    let begun = Instant::now();
    let running = host.client("GET", "/rpc/author/sleep?ms=600").begin();
    wait_for("the process", || (Census::of(&host).processes > 0).then_some(()));
    host.signal(Signal::TERM);
    let answer = crate::harness::Answer::read(running, begun);
    assert_eq!((answer.status, answer.text().as_str()), (200, "slept"));
    assert_eq!(host.ended().code(), Some(0));
    assert!(std::net::TcpStream::connect(host.address).is_err());
    let kept = std::fs::read_dir(host.site.root().join(".modules")).unwrap().count();
    assert_eq!(kept, 0, "the copies of modules go with the host");
}

#[test]
fn sigterm_kills_what_is_over_its_deadline_and_exits_0() {
    let site = Site::new();
    site.harm("ignores_sigterm", json!({"timeout_ms": 700}));
    let mut host = Host::start(site);
    let running = host.client("GET", "/rpc/ignores_sigterm").begin();
    wait_for("the process", || (Census::of(&host).processes > 0).then_some(()));
    host.signal(Signal::TERM);
    let answer = crate::harness::Answer::read(running, Instant::now());
    assert_eq!(answer.outcome(), (504, "deadline_exceeded"));
    assert_eq!(host.ended().code(), Some(0));
    assert_eq!(Census::of_dead(&host), 0);
}

#[test]
fn a_draining_host_is_not_ready_and_still_serves_while_it_waits() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, &["--drain-wait-ms", "60000"]);
    assert_eq!((host.get("/_ready").status, host.get("/_health").text().as_str()), (200, "OK\n"));
    host.signal(Signal::TERM);
    wait_for("not ready", || (host.get("/_ready").status == 503).then_some(()));
    assert_eq!((host.get("/_health").status, host.get("/rpc/author/pid").status), (503, 200));
}

#[test]
fn clients_that_say_nothing_or_half_a_request_do_not_delay_the_end() {
    use std::io::Write;
    let mut host = Host::start(Site::new());
    let before = sockets_of(&host);
    let silent = crate::harness::connect(host.address);
    let mut half = crate::harness::connect(host.address);
    half.write_all(b"GET /rpc/f HTTP/1.1\r\nho").unwrap();
    let mut preface = crate::harness::connect(host.address);
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    wait_for("the connections", || (sockets_of(&host) >= before + 3).then_some(()));
    let begun = Instant::now();
    host.signal(Signal::TERM);
    assert_eq!(host.ended().code(), Some(0));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    drop((silent, half, preface));
}

#[test]
fn a_second_sigterm_ends_at_once_and_leaves_no_process() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 600_000}));
    let mut host = Host::start(site);
    let _running = host.client("GET", "/rpc/sleeps_for_ever").begin();
    wait_for("the process", || (Census::of(&host).processes > 0).then_some(()));
    host.signal(Signal::TERM);
    host.logged("the drain", |line| line["message"].as_str().is_some_and(|text| text.contains("finishing")));
    host.signal(Signal::TERM);
    assert_eq!(host.ended().code(), Some(1));
    wait_for("the end of every process", || (Census::of_dead(&host) == 0).then_some(()));
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_process() {
    let site = Site::new();
    site.harm("ignores_sigterm", json!({"timeout_ms": 600_000}));
    let mut host = Host::start(site);
    let _running = host.client("GET", "/rpc/ignores_sigterm").begin();
    wait_for("the process", || (Census::of(&host).processes > 0).then_some(()));
    host.signal(Signal::KILL);
    host.ended();
    wait_for("the end of every process", || (Census::of_dead(&host) == 0).then_some(()));
}

#[test]
fn what_cannot_start_says_why_and_how_to_mend_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, part) in [
        (vec!["--runner", "/no/such/runner"], "correct FEZZ_RUNNER or --runner"),
        (vec!["--uid-base", "0"], "`uid_base` is 0: it must leave 65536 uids"),
        (vec!["--cgroup", "own", "--jail", "off"], "`cgroup` needs `jail` to be `strict`"),
        (vec!["--cgroup", "/proc"], "failed to divide the cgroup `/proc`"),
        (vec!["--root", "/no/such/root"], "create it, or set --root"),
        (vec!["--listen", &taken], "choose another by --listen"),
        (vec!["--rpc", "admin"], "set --admin too"),
        (vec!["--connections", "0"], "give it 1 or more"),
        (vec!["--head-timeout-ms", "0"], "`head_timeout_ms` is 0"),
        (vec!["--keep-alive-ms", "0"], "`keep_alive_ms` is 0"),
        (vec!["--config", "/no/such/file"], "failed to read the settings file"),
    ] {
        let site = Site::new();
        let mut command = Host::command(&site);
        // The last of two equal flags would be an error of its own.
        let keeps = |flag: &str| !arguments.contains(&flag);
        let mut fresh = std::process::Command::new(command.get_program());
        if keeps("--root") {
            fresh.arg("--root").arg(site.root());
        }
        if keeps("--listen") {
            fresh.args(["--listen", "127.0.0.1:0"]);
        }
        command = fresh;
        let output = command.args(&arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn a_flag_goes_over_the_environment_over_the_file_over_the_default() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let file = site.root().join("hhrf.toml");
    std::fs::write(&file, "stderr_bytes = 0\nheader_bytes = 500\ntrust_proxy = true\nrpc = \"off\"\n")
        .unwrap();
    let host = Host::with(site, |command| {
        command.arg("--config").arg(&file).env("HHRF_HEADER_BYTES", "1000").env("HHRF_RPC", "admin");
        // As a shell unsets it for one command.
        command.env("FEZZ_RUNNER", "");
        command.args(["--rpc", "on"]);
    });
    let with = |bytes: usize| {
        let client =
            host.client("GET", "/rpc/author/request").header("x-envoy-external-address", "192.0.2.7");
        client.header("x-large", &"x".repeat(bytes)).send()
    };
    assert_eq!(with(600).status, 200, "the flag's rpc, and the environment's header_bytes");
    assert_eq!(with(1100).status, 431, "the environment's header_bytes");
    assert!(with(1).text().contains("client_ip 192.0.2.7"), "the file's trust_proxy");
}
