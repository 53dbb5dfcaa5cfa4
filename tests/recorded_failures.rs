//! `--record-failures`: the requests of failed functions, as files that replay.

use crate::harness::{AUTHOR, Answer, HARMFUL, Host, Site, binary, wait_for};
use fezz_wire::FezzWireRequest;
use serde_json::json;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RECORDED: &str = "fezz_failures_recorded_total";
const NOT_RECORDED: &str = "fezz_failures_not_recorded_total";

/// A host that records failures in a folder of its root, which doesn't exist before.
fn recording(site: Site) -> Host {
    let folder = folder(&site);
    Host::with_flags(site, &["--record-failures", folder.to_str().unwrap()])
}

fn folder(site: &Site) -> PathBuf {
    site.root().join("below/failures")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Sends a request that fails, and waits until it is recorded.
fn fail(host: &Host, path: &str, id: &str) -> (Answer, PathBuf) {
    let answer = host.client("POST", path).header("x-request-id", id).body("the body").send();
    let line = host.logged("its line", |line| line["request_id"] == id && line["message"] == "request");
    let path = PathBuf::from(line["recorded"].as_str().unwrap_or_else(|| panic!("{line}")));
    wait_for("the file", || path.exists().then_some(()));
    (answer, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_crash_is_recorded_as_its_process_was_given_it_and_replays() {
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        site.harm("segfaults", json!({"execution": execution, "routes": [{"path": "/crash/{id}"}]}));
        let host = recording(site);
        let (answer, file) = fail(&host, "/rpc/segfaults/crash/7?x=1", "r-1");
        assert_eq!(answer.outcome(), (502, "function_crashed"));
        assert_eq!(file, folder(&host.site).join("segfaults@v1-r-1.cbor"));
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));

        let bytes = fs::read(&file).unwrap();
        let message = FezzWireRequest::decode(&bytes).unwrap();
        assert_eq!((message.method, message.uri, message.body), ("POST", "/crash/7?x=1", &b"the body"[..]));
        assert_eq!((message.params["id"], message.meta.request_id), ("7", "r-1"));
        assert_eq!(message.meta.original_uri, Some("/rpc/segfaults/crash/7?x=1"));
        assert!(message.headers.contains(&("x-request-id", b"r-1")), "{message:?}");

        let mut runner = Command::new(binary("fezz-runner"));
        runner
            .args(["--jail", "off", "--env", "HARM"])
            .arg(binary(HARMFUL))
            .env("FEZZ_ENV_HARM", "segfaults");
        let ended = runner.stdin(File::open(&file).unwrap()).stdout(Stdio::null()).status().unwrap();
        assert_eq!(ended.signal(), Some(11), "{execution}: {ended}");
    }
}

#[test]
fn each_way_to_fail_is_recorded_with_the_bytes_that_the_process_read() {
    for execution in ["spawn", "fork"] {
        let site = Site::new();
        site.install("author@v1", AUTHOR, json!({"execution": execution}));
        for harm in ["returns_garbage", "exhausts_memory", "sleeps_for_ever", "exits_0_without_answering"] {
            site.harm(harm, json!({"execution": execution, "timeout_ms": 2000}));
        }
        let host = recording(site);
        for (number, (path, kind)) in [
            ("author/panic", "function_panicked"),
            ("author/error", "function_error"),
            ("exits_0_without_answering", "function_crashed"),
            ("exhausts_memory", "out_of_memory"),
            ("returns_garbage", "invalid_response"),
            ("sleeps_for_ever", "deadline_exceeded"),
        ]
        .into_iter()
        .enumerate()
        {
            let (answer, file) = fail(&host, &format!("/rpc/{path}"), &format!("r-{number}"));
            assert_eq!(answer.outcome().1, kind, "{execution}");
            let bytes = fs::read(file).unwrap();
            assert_eq!(FezzWireRequest::decode(&bytes).unwrap().body, b"the body", "{kind}");
        }
        assert_eq!((host.metric(RECORDED), host.metric(NOT_RECORDED)), (6.0, 0.0));
    }
}

#[test]
fn failures_of_processes_that_serve_again_are_recorded_too() {
    let site = Site::new();
    let harms = [("segfaults", "function_crashed"), ("sleeps_for_ever", "deadline_exceeded")];
    for (harm, _) in harms {
        site.harm(harm, json!({"execution": "rewind", "spare": 2, "timeout_ms": 2000}));
    }
    let host = recording(site);
    for (harm, kind) in harms {
        // The first gets a forked process.
        fail(&host, &format!("/rpc/{harm}"), &format!("{harm}-1"));
        let of = format!("{{function=\"{harm}@v1\"");
        let spare = format!("fezz_spare_processes{of}}}");
        wait_for("a process that serves again", || (host.metric(&spare) > 0.0).then_some(()));
        let (answer, file) = fail(&host, &format!("/rpc/{harm}"), &format!("{harm}-2"));
        assert_eq!(answer.outcome().1, kind);
        assert_eq!(
            host.metric(&format!("fezz_rewind_requests_total{of},result=\"failed\"}}")),
            1.0,
            "{harm}"
        );
        let bytes = fs::read(file).unwrap();
        assert_eq!(FezzWireRequest::decode(&bytes).unwrap().body, b"the body", "{harm}");
    }
}

#[test]
fn the_recorded_bytes_are_those_that_the_runner_reads() {
    let site = Site::new();
    let read = site.root().join("read.cbor");
    let runner = binary("fezz-runner");
    let script = format!("#!/bin/sh\ntee {} | {} \"$@\"\n", read.display(), runner.display());
    let wrapper = site.script("keeps", &script);
    site.harm("returns_garbage", json!({"execution": "spawn"}));
    let folder = folder(&site);
    let flags = ["--runner", wrapper.to_str().unwrap(), "--jail", "inner", "--record-failures"];
    let host = Host::with_flags(site, &[&flags[..], &[folder.to_str().unwrap()]].concat());
    let (_, file) = fail(&host, "/rpc/returns_garbage", "r-1");
    wait_for("the same bytes", || (fs::read(&read).unwrap() == fs::read(&file).unwrap()).then_some(()));
}

#[test]
fn what_answers_and_what_never_ran_is_not_recorded() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    site.harm("crashes_in_on_load", json!({"execution": "fork"}));
    let host = recording(site);
    for path in ["/rpc/author", "/rpc/author/status?is=500", "/nothing"] {
        host.get(path);
    }
    assert_eq!(host.get("/rpc/crashes_in_on_load").outcome(), (503, "module_failed"));
    let (_, last) = fail(&host, "/rpc/author/panic", "last");
    assert_eq!(files(last.parent().unwrap()), ["author@v1-last.cbor"]);
    let lines = host.log().into_iter().filter(|line| line["recorded"].is_string()).count();
    assert_eq!(lines, 1);
}

#[test]
fn failures_are_not_recorded_by_default() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    host.client("GET", "/rpc/author/panic").header("x-request-id", "r-1").send();
    let line = host.logged("its line", |line| line["request_id"] == "r-1" && line["message"] == "request");
    assert!(line["recorded"].is_null() && line["kind"] == "function_panicked", "{line}");
    assert_eq!(host.metric(RECORDED) + host.metric(NOT_RECORDED), 0.0);
}

#[test]
fn only_the_newest_failures_are_kept() {
    const FILES_MAX: usize = 100;
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"execution": "fork"}));
    let host = recording(site);
    for number in 0..FILES_MAX + 5 {
        fail(&host, "/rpc/author/panic", &format!("r-{number}"));
    }
    let kept = files(&folder(&host.site));
    assert_eq!(kept.len(), FILES_MAX);
    let has = |number: usize| kept.contains(&format!("author@v1-r-{number}.cbor"));
    assert_eq!([0, 4, 5, FILES_MAX + 4].map(has), [false, false, true, true]);
}

#[test]
fn a_clients_request_id_leads_to_no_other_folder() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = recording(site);
    let (_, file) = fail(&host, "/rpc/author/panic", "../../functions/x;y");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("author@v1-.._.._functions_x_y+"), "{name}");
    assert!(folder(&host.site).join(name).exists());
}

#[test]
fn requests_go_on_where_they_cant_be_recorded_and_one_line_warns() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = recording(site);
    fs::remove_dir(folder(&host.site)).unwrap();
    for failures in 1..=3 {
        assert_eq!(host.get("/rpc/author/panic").outcome(), (500, "function_panicked"));
        wait_for("the count", || (host.metric(NOT_RECORDED) == f64::from(failures)).then_some(()));
    }
    let warning =
        |line: &serde_json::Value| line["message"].as_str().unwrap().starts_with("failed to record");
    host.logged("the warning", warning);
    assert_eq!(host.log().iter().filter(|line| warning(line)).count(), 1);
    fs::create_dir(folder(&host.site)).unwrap();
    fail(&host, "/rpc/author/panic", "recorded-again");
}

#[test]
fn a_folder_that_every_user_can_write_is_refused_at_the_start() {
    let site = Site::new();
    let open = site.root().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let mut host = Host::command(&site).arg("--record-failures").arg(&open).spawn().unwrap();
    let mut lines = BufReader::new(host.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.find(|line| line.contains("listening on") || line.contains("--record-failures"));
    let said = said.unwrap_or_default();
    if said.contains("listening on") {
        host.kill().unwrap();
    }
    let status = host.wait().unwrap();
    assert!(
        status.code() == Some(1) && said.contains("`chmod go-w` it, or change --record-failures"),
        "{said}"
    );
    assert_eq!(mode(&open), 0o777, "it is left as it was");
}

#[test]
fn what_failed_last_is_recorded_before_the_host_ends() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": {"request_body_bytes": 50 << 20}}));
    let folder = folder(&site);
    let host = recording(site);
    let body = vec![b'x'; 50 << 20];
    assert_eq!(host.client("POST", "/rpc/author/panic").body(body).send().status, 500);
    let _site = host.into_site();
    let files = files(&folder);
    assert!(files.len() == 1 && files[0].ends_with(".cbor"), "{files:?}");
    assert!(fs::metadata(folder.join(&files[0])).unwrap().len() > 50 << 20);
}
