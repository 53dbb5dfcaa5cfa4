//! The start and the shutdown of a host.

use crate::harness::{AUTHOR, Host, Leftovers, Site, binary, sockets_of, wait_for};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

#[test]
fn sigterm_lets_running_requests_finish_and_exits_0() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let mut host = Host::start(site);
    let begun = Instant::now();
    let running = host.client("GET", "/rpc/author/sleep?ms=600").begin();
    wait_for("the process", || (Leftovers::of(&host).processes > 0).then_some(()));
    host.signal(Signal::TERM);
    let answer = crate::harness::Answer::read(running, begun);
    assert_eq!((answer.status, answer.text().as_str()), (200, "slept"));
    assert_eq!(host.ended().code(), Some(0));
    assert!(std::net::TcpStream::connect(host.address).is_err());
    let kept = std::fs::read_dir(host.site.root().join(".modules")).unwrap().count();
    assert_eq!(kept, 0, "the copies of modules go with the host");
}

#[test]
fn sigterm_kills_requests_at_their_deadline_and_exits_0() {
    let site = Site::new();
    site.harm("ignores_sigterm", json!({"timeout_ms": 700}));
    let mut host = Host::start(site);
    let running = host.client("GET", "/rpc/ignores_sigterm").begin();
    wait_for("the process", || (Leftovers::of(&host).processes > 0).then_some(()));
    host.signal(Signal::TERM);
    let answer = crate::harness::Answer::read(running, Instant::now());
    assert_eq!(answer.outcome(), (504, "deadline_exceeded"));
    assert_eq!(host.ended().code(), Some(0));
    assert_eq!(Leftovers::of_dead(&host), 0);
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
fn idle_connections_and_half_requests_do_not_delay_the_shutdown() {
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
fn a_second_sigterm_after_a_second_ends_at_once_and_leaves_no_process() {
    const REQUESTS: usize = 5;
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 600_000, "limits": {"concurrency": 2}}));
    let mut host = Host::start(site);
    let _running: Vec<_> =
        (0..REQUESTS).map(|_| host.client("GET", "/rpc/sleeps_for_ever").begin()).collect();
    let queued = || host.metric(r#"fezz_queued{function="sleeps_for_ever@v1"}"#);
    wait_for("the queue", || (queued() == REQUESTS as f64 - 2.0).then_some(()));
    let begun = Instant::now();
    // Further SIGTERMs within the first second are ignored.
    let status = wait_for("the forced end", || {
        host.signal(Signal::TERM);
        host.has_ended()
    });
    assert_eq!(status.code(), Some(1));
    assert!((1..4).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    wait_for("the end of every process", || (Leftovers::of_dead(&host) == 0).then_some(()));
    let cut_off = |line: &&Value| line["message"] == "request" && line["kind"] == "aborted";
    wait_for("a line of each request", || {
        (host.log().iter().filter(cut_off).count() == REQUESTS).then_some(())
    });
}

/// timeout(1) sends SIGTERM twice: to its child and to its process group.
#[test]
fn two_sigterms_in_a_row_count_as_one() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let mut host = Host::with_flags(site, &["--drain-wait-ms", "100"]);
    let running = host.client("GET", "/rpc/author/sleep?ms=1500").begin();
    wait_for("the process", || (Leftovers::of(&host).processes > 0).then_some(()));
    host.signal(Signal::TERM);
    host.logged("the first", |line| line["message"].as_str().is_some_and(|text| text.contains("not ready")));
    host.signal(Signal::TERM);
    assert_eq!(crate::harness::Answer::read(running, Instant::now()).text(), "slept");
    assert_eq!(host.ended().code(), Some(0));
}

#[test]
fn a_host_under_timeout_drains() {
    const TIMES: usize = 10;
    for _ in 0..TIMES {
        let site = Site::new();
        let under =
            format!("#!/bin/sh\nexec timeout --preserve-status 600 {} \"$@\"\n", binary("hhrf").display());
        let timeout = site.script("under-timeout", &under);
        let mut host = Host::of_program(&timeout, site, |command| {
            command.args(["--drain-wait-ms", "100"]);
        });
        // The test sends the signal that timeout(1) would send after ten minutes.
        host.signal(Signal::TERM);
        assert_eq!(host.ended().code(), Some(0));
        host.logged("the end", |line| line["message"] == "stopped: Drained");
    }
}

#[test]
fn a_host_killed_by_sigkill_leaves_no_process() {
    let site = Site::new();
    site.harm("ignores_sigterm", json!({"timeout_ms": 600_000}));
    let mut host = Host::start(site);
    let _running = host.client("GET", "/rpc/ignores_sigterm").begin();
    wait_for("the process", || (Leftovers::of(&host).processes > 0).then_some(()));
    host.signal(Signal::KILL);
    host.ended();
    wait_for("the end of every process", || (Leftovers::of_dead(&host) == 0).then_some(()));
}

#[test]
fn a_host_that_cannot_start_reports_the_reason_and_the_fix() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, part) in [
        (vec!["--runner", "/no/such/runner"], "correct the setting `runner` (FEZZ_RUNNER)"),
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
        // The same flag twice would be another error.
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
fn a_misspelt_variable_is_reported_with_the_nearest_name() {
    let host = Host::with(Site::new(), |command| {
        command
            .env("HHRF_LISTN", "127.0.0.1:1")
            .env("HHRF_RUNNER", "x")
            .env("HHRF_ZZZ", "x")
            .env("FEZZ_ENV_X", "x");
    });
    for sentence in [
        "the variable `HHRF_LISTN` is unknown and has no effect: did you mean `HHRF_LISTEN`?",
        "the variable `HHRF_RUNNER` is unknown and has no effect: did you mean `FEZZ_RUNNER`?",
        "the variable `HHRF_ZZZ` is unknown and has no effect: `hhrf --help` lists the known ones",
    ] {
        host.logged(sentence, |line| line["level"] == "WARN" && line["message"] == sentence);
    }
    let is_about_another = |line: &serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("FEZZ_ENV_X") || text.contains("HHRF_SPARE"))
    };
    assert!(!host.log().iter().any(is_about_another));
}

/// Copies a program into `folder`.
fn copy_of(program: &str, folder: &Path) -> PathBuf {
    let copy = folder.join(program);
    std::fs::copy(binary(program), &copy).unwrap();
    copy
}

/// The error message of a host that finds no runner.
fn said_without_a_runner(named: &str) -> String {
    let site = Site::new();
    let hhrf = copy_of("hhrf", site.root());
    let mut command = Command::new(hhrf);
    command.env_clear().env("PATH", "/no/such/folder").env("FEZZ_RUNNER", named);
    String::from_utf8(command.args(["--listen", "127.0.0.1:0"]).output().unwrap().stderr).unwrap()
}

#[test]
fn a_runner_that_is_not_built_is_an_error_that_names_the_command_of_the_same_profile() {
    let command = if cfg!(debug_assertions) {
        "`cargo build -p fezz-runner`"
    } else {
        "`cargo build --release -p fezz-runner`"
    };
    for named in ["", "fezz-runner"] {
        let said = said_without_a_runner(named);
        assert!(said.contains("failed to find `fezz-runner`") && said.contains(command), "{said}");
    }
    let said = said_without_a_runner("some-wrapper");
    assert!(said.contains("correct the setting `runner` (FEZZ_RUNNER)"), "{said}");
}

#[test]
fn a_runner_without_a_path_is_found_beside_the_host_before_path() {
    let site = Site::new();
    let (hhrf, runner) = (copy_of("hhrf", site.root()), copy_of("fezz-runner", site.root()));
    std::fs::create_dir(site.root().join("other")).unwrap();
    site.script("other/fezz-runner", "#!/bin/sh\nexit 1\n");
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::of_program(&hhrf, site, |command| {
        command.env("FEZZ_RUNNER", "fezz-runner").env("PATH", hhrf.with_file_name("other"));
    });
    host.logged("the runner", |line| line["runner"] == runner.to_str().unwrap() && line["jail"] == "strict");
    assert_eq!(host.get("/rpc/author/pid").status, 200);
}

#[test]
fn a_folder_for_modules_that_others_can_change_is_refused_with_the_fix() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let site = Site::new();
    let modules = site.root().join("modules");
    std::fs::create_dir(&modules).unwrap();
    // A pipe without a writer, at the path where a host looks for another host's lock.
    let planted = modules.join("hhrf-modules-planted");
    std::fs::create_dir(&planted).unwrap();
    assert!(Command::new("mkfifo").arg(planted.join(".lock")).status().unwrap().success());
    let start = || {
        let host = Host::command(&site);
        let mut command = Command::new("timeout");
        command.arg("20").arg(host.get_program()).args(host.get_args()).arg("--modules").arg(&modules);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    std::fs::set_permissions(&modules, PermissionsExt::from_mode(0o1777)).unwrap();
    let (code, said) = start();
    assert!(
        code == Some(1) && said.contains("every user can write") && said.contains("of the host's own"),
        "{said}"
    );
    std::fs::set_permissions(&modules, PermissionsExt::from_mode(0o755)).unwrap();
    if crate::harness::is_root() {
        chown(&modules, Some(65534), None).unwrap();
        let (code, said) = start();
        assert!(code == Some(1) && said.contains("belongs to user 65534"), "{said}");
        chown(&modules, Some(0), None).unwrap();
    }
    // The pipe doesn't block a start in the host's own folder either.
    let host = Host::with_flags(site, &["--modules", modules.to_str().unwrap()]);
    assert_eq!(host.get("/_ready").status, 200);
}

#[test]
fn flags_override_the_environment_then_the_file_then_the_defaults() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let file = site.root().join("hhrf.toml");
    std::fs::write(&file, "stderr_bytes = 0\nheader_bytes = 500\ntrust_proxy = true\nrpc = \"off\"\n")
        .unwrap();
    let host = Host::with(site, |command| {
        command.arg("--config").arg(&file).env("HHRF_HEADER_BYTES", "1000").env("HHRF_RPC", "admin");
        // An empty value, as a shell sets it for one command to unset it.
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
