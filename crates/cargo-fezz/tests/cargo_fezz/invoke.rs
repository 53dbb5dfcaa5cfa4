//! `cargo fezz invoke`: the real runner, in its strict jail.

use crate::harness::{Done, Project, build_runner, on_path, skip};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Runs `invoke` of the module in C, whose function has this body.
fn invoke(name: &'static str, body: &str, line: &str) -> Done {
    build_runner();
    let project = Project::c(name, body, &[]);
    project.fezz(&format!("invoke --from {name}@v1 {line}"))
}

#[test]
fn a_request_is_answered_through_the_jail() {
    build_runner();
    let project =
        Project::function("invoke-hello", r#"path = "/hello/{name}""#, "env = { GREETING = \"Good day\" }");
    let code = r#"use fezz::prelude::*;
#[fezz_function(path = "/hello/{name}", method = ["GET", "POST"])]
fn hello(request: Request) -> String {
    eprintln!("a line of the log");
    let is_jailed = std::fs::read_dir("/etc").is_err();
    let greeting = std::env::var("GREETING").unwrap_or_default();
    let (name, header) = (request.param("name").unwrap_or("?"), request.header("X-A"));
    let body = request.text().unwrap_or_default();
    format!("{greeting}, {name}! {header:?} {body:?} jailed: {is_jailed}\n")
}
"#;
    project.write("src/lib.rs", code);
    assert_eq!(project.fezz("build --debug").status, Some(0));
    let done = project.fezz("invoke /hello/Ada%20L?x=1 -H X-A:1 -d body");
    assert_eq!(done.status, Some(0), "{done:?}");
    let expected = "Good day, Ada L! Some(\"1\") \"body\" jailed: true\n";
    assert!(
        done.stdout.starts_with("HTTP/1.1 200\n") && done.stdout.ends_with(&format!("\n\n{expected}")),
        "{done:?}"
    );
    assert!(done.stderr.contains("a line of the log"), "{done:?}");
    assert_eq!(project.fezz("invoke /hello/Ada --body").stdout, "Good day, Ada! None \"\" jailed: true\n");
    let by_name = project.fezz("invoke /rpc/invoke-hello@v1/hello/Ada --body");
    assert_eq!(by_name.stdout, "Good day, Ada! None \"\" jailed: true\n", "{by_name:?}");
    let lost = project.fezz("invoke /other");
    assert!(lost.stderr.contains("no route of invoke-hello@v1 leads here, a host answers 404"), "{lost:?}");
}

#[test]
fn a_panic_is_reported_with_its_text_and_place() {
    build_runner();
    let project = Project::function("invoke-panic", r#"path = "/panic""#, "");
    let code = "use fezz::prelude::*;\n#[fezz_function(path = \"/panic\")]\nfn hello(_: Request) -> String {\n    panic!(\"out of cheese\")\n}\n";
    project.write("src/lib.rs", code);
    assert_eq!(project.fezz("build --debug").status, Some(0));
    let done = project.fezz("invoke /panic");
    assert_eq!((done.status, done.stdout.as_str()), (Some(3), ""));
    assert!(done.stderr.contains("panicked, a host answers 500: out of cheese"), "{done:?}");
}

#[test]
fn a_crash_is_told_from_a_passed_deadline() {
    let crash = invoke("invoke-crash", "abort();", "/invoke-crash");
    assert_eq!(crash.status, Some(3), "{crash:?}");
    assert!(crash.stderr.contains("the process crashed (signal: 6 (SIGABRT)"), "{crash:?}");

    build_runner();
    let project = Project::c("invoke-deadline", "for (;;) pause();", &[]);
    let manifest = project.read("invoke-deadline@v1/fezz.json").replacen('{', "{\"timeout_ms\": 300,", 1);
    project.write("invoke-deadline@v1/fezz.json", &manifest);
    let late = project.fezz("invoke --from invoke-deadline@v1 /invoke-deadline");
    assert_eq!(late.status, Some(3), "{late:?}");
    assert!(late.stderr.contains("the deadline of 300 ms passed, a host answers 504"), "{late:?}");
}

#[test]
fn an_empty_buffer_and_a_module_that_is_not_loaded_are_faults() {
    let empty = invoke("invoke-empty", "", "/invoke-empty");
    assert_eq!(empty.status, Some(3));
    assert!(empty.stderr.contains("the module broke the ABI, a host answers 502"), "{empty:?}");
    let undefined = invoke("invoke-undefined", "extern void nowhere(void); nowhere();", "/invoke-undefined");
    assert_eq!(undefined.status, Some(3));
    assert!(undefined.stderr.contains("the module can't be loaded, a host answers 503"), "{undefined:?}");
    assert!(undefined.stderr.contains("undefined symbol: nowhere"), "{undefined:?}");
}

#[test]
fn wrong_flags_are_told_what_to_write() {
    let project = Project::c("invoke-flags", "", &[]);
    let failed_with = |line: &str, words| {
        project.fezz(&format!("invoke --from invoke-flags@v1 {line}")).failed_with(&[words])
    };
    failed_with("hello", "doesn't begin with `/`");
    failed_with("/ -H nonsense", "is not `Name: value`");
    failed_with("/ -d @missing", "failed to read the body from `missing`");
    failed_with("--message missing", "failed to read the message `missing`");
    failed_with("/ --runner ./missing", "failed to start the runner `./missing`");
}

#[test]
fn a_message_that_is_no_request_is_refused_before_the_function_runs() {
    build_runner();
    let project = Project::c("invoke-message", "abort();", &[]);
    project.write("request.cbor", "nonsense");
    project
        .fezz("invoke --from invoke-message@v1 --message request.cbor")
        .failed_with(&["the runner got no valid request"]);
}

#[test]
fn a_script_gets_the_response_the_log_and_the_kind_of_a_failure_as_json() {
    build_runner();
    let project = Project::function("invoke-json", r#"path = "/json", method = "POST""#, "");
    let code = r#"use fezz::prelude::*;
#[fezz_function(path = "/json", method = "POST")]
fn hello(request: Request) -> Vec<u8> {
    eprintln!("a line of the log");
    let kind = request.header("content-type").unwrap_or("none").to_owned();
    match request.text().unwrap_or_default() {
        "{\"panic\":1}" => panic!("out of cheese"),
        "binary" => vec![0xff, 0],
        body => format!("{kind} {body}").into_bytes(),
    }
}
"#;
    project.write("src/lib.rs", code);
    assert_eq!(project.fezz("build --debug").status, Some(0));
    let invoke = |line: &str| project.fezz(&format!("invoke /json --format json {line}"));
    let answer = invoke("--json {\"a\":1}").result();
    assert_eq!((&answer["status"], &answer["body"]), (&200.into(), &"application/json {\"a\":1}".into()));
    assert_eq!((&answer["log"], &answer["failure"]), (&"a line of the log\n".into(), &Value::Null));
    assert_eq!(answer["headers"][0][0], "content-type");
    assert_eq!(invoke("--data a=1").result()["body"], "application/x-www-form-urlencoded a=1");
    let binary = invoke("--data binary").result();
    assert_eq!((&binary["body"], &binary["body_base64"]), (&Value::Null, &"/wA=".into()));
    let panic = invoke("--json {\"panic\":1}");
    let report: Value = serde_json::from_str(&panic.stdout).unwrap();
    assert_eq!((panic.status, &report["failure"]["kind"]), (Some(3), &"function_panicked".into()));
    assert!(report["status"].is_null() && report["log"].as_str().unwrap().contains("a line"), "{report}");
}

/// A project whose function says where its request came from, and crashes where it is asked to.
fn recorded(name: &'static str) -> Project {
    build_runner();
    let project = Project::c(name, "abort();", &[]);
    let release = project.path(&format!("{name}@v1"));
    std::fs::create_dir_all(project.path("functions")).unwrap();
    std::fs::rename(release, project.path(&format!("functions/{name}@v1"))).unwrap();
    let request = fezz_wire::FezzWireRequest {
        method: "GET",
        uri: "/",
        authority: None,
        scheme: None,
        headers: Vec::new(),
        params: std::collections::BTreeMap::new(),
        body: b"",
        meta: fezz_wire::Meta {
            request_id: "abc",
            function: name,
            version: "v1",
            deadline_ms: 1000,
            client_ip: None,
            original_uri: None,
        },
    };
    project.write("failures/other@v1-xyz.cbor", "nonsense");
    let older =
        std::fs::File::options().write(true).open(project.path("failures/other@v1-xyz.cbor")).unwrap();
    older.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    std::fs::write(project.path(&format!("failures/{name}@v1-abc.cbor")), request.encode()).unwrap();
    project
}

#[test]
fn a_recorded_failure_is_replayed_by_its_function() {
    let project = recorded("invoke-failure");
    let replayed = project.fezz("invoke --failure abc --failures failures");
    assert_eq!(replayed.status, Some(3), "{replayed:?}");
    assert!(replayed.stderr.contains("Replaying failures/invoke-failure@v1-abc.cbor"), "{replayed:?}");
    assert!(replayed.stderr.contains("the process crashed (signal: 6 (SIGABRT)"), "{replayed:?}");
    let newest = project.fezz("invoke --failures failures --failure");
    assert!(newest.stderr.contains("invoke-failure@v1-abc.cbor"), "{newest:?}");
    project.fezz("invoke --failure nope --failures failures").failed_with(&["whose id begins with `nope`"]);
    project.fezz("invoke --failure --failures missing").failed_with(&["--record-failures", "--failures"]);
    project.fezz("invoke --failure xyz --failures failures").failed_with(&["whose id begins with `xyz`"]);
}

#[test]
fn a_recorded_failure_goes_to_the_newest_build_of_its_function_but_a_test_s() {
    use std::time::{Duration, SystemTime};
    let project = recorded("invoke-builds");
    let built = |folder: &str, age_s: u64| {
        let own = project.path(folder);
        std::fs::create_dir_all(&own).unwrap();
        for file in ["fezz.json", "module.so"] {
            let from = project.path("functions/invoke-builds@v1").join(file);
            if !own.join(file).exists() {
                std::fs::copy(from, own.join(file)).unwrap();
            }
        }
        let module = std::fs::File::options().write(true).open(own.join("module.so")).unwrap();
        module.set_modified(SystemTime::now() - Duration::from_secs(age_s)).unwrap();
    };
    let (watched, own) = ("target/fezz/package/functions/invoke-builds@v1", "functions/invoke-builds@v1");
    built("target/fezz/tested/invoke-builds@v1", 0);
    let with = |folder: &Path| {
        let mut replay = project.command("");
        replay.args("invoke --failure --failures failures".split(' '));
        replay.env("CARGO_TARGET_DIR", project.path("target"));
        let done = Done::of(replay);
        assert!(done.stderr.contains(&format!("        With {}\n", folder.display())), "{done:?}");
    };
    for (watched_s, own_s, expected) in [(20, 10, PathBuf::from(own)), (10, 20, project.path(watched))] {
        built(watched, watched_s);
        built(own, own_s);
        with(&expected);
    }
}

#[test]
fn a_recorded_failure_of_another_function_is_warned_of() {
    let project = recorded("invoke-foreign");
    std::fs::rename(project.path("functions/invoke-foreign@v1"), project.path("other@v1")).unwrap();
    let manifest =
        project.read("other@v1/fezz.json").replace("\"id\": \"invoke-foreign\"", "\"id\": \"other\"");
    project.write("other@v1/fezz.json", &manifest);
    let done = project.fezz("invoke --failure --failures failures --from other@v1");
    assert!(done.stderr.contains("was sent to invoke-foreign@v1, not to other@v1"), "{done:?}");
}

#[test]
fn a_crash_is_shown_by_gdb_with_its_request_on_stdin() {
    let project = recorded("invoke-gdb");
    if !on_path("gdb") {
        return skip("gdb isn't installed");
    }
    let debugged = project.fezz("invoke --gdb --failure abc --failures failures");
    assert_eq!(debugged.status, Some(0), "{debugged:?}");
    assert!(debugged.stdout.contains("received signal SIGABRT"), "{debugged:?}");
    let mut without = project.command("");
    without.args(["invoke", "--gdb", "/invoke-gdb"]).env("PATH", "/nowhere");
    let without = String::from_utf8(without.output().unwrap().stderr).unwrap();
    assert!(without.contains("gdb isn't on PATH: install it"), "{without}");
}

#[test]
fn what_a_function_logs_and_fails_with_does_not_act_upon_the_terminal() {
    let forged = r#"write(2, "\x1b[2Jlog\xc2\x9b\xe2\x80\xae\n\x1e{\x1b]0;title\a\n", 27);"#;
    let done = invoke("invoke-escape", &format!("{forged} abort();"), "/invoke-escape");
    assert_eq!(done.status, Some(3), "{done:?}");
    assert!(
        done.stderr.contains("\\u{1b}[2Jlog\\u{9b}\\u{202e}\n\\u{1e}{\\u{1b}]0;title\\u{7}\n"),
        "{done:?}"
    );
    assert!(!done.stderr.contains(['\x1b', '\x1e', '\x07']), "{done:?}");
    let returned = invoke("invoke-escape-error", &returning("no\x1b[2J\nerror: forged\u{202e}"), "/");
    assert_eq!(returned.status, Some(3), "{returned:?}");
    assert!(returned.stderr.contains(": no\\u{1b}[2J\n  | error: forged\\u{202e}\n"), "{returned:?}");
}

/// The code of a function that returns an error with this text.
fn returning(message: &str) -> String {
    let error = fezz_wire::FezzWireError { kind: fezz_wire::ErrorKind::Returned, message };
    let response =
        fezz_wire::FezzWireResponse { status: 500, headers: Vec::new(), body: b"", error: Some(error) };
    let bytes: Vec<String> = response.encode().iter().map(u8::to_string).collect();
    format!(
        "static const unsigned char answer[] = {{{}}}; void *copy = malloc(sizeof answer); \
         __builtin_memcpy(copy, answer, sizeof answer); return (FezzOwned){{copy, sizeof answer}};",
        bytes.join(",")
    )
}

#[test]
fn a_log_without_end_is_cut_for_a_person() {
    let body = r#"for (int i = 0; i < 300000; i++) write(2, "0123456789\n", 11);"#;
    let done = invoke("invoke-long-log", body, "/invoke-long-log");
    let lines = done.stderr.lines().filter(|line| *line == "0123456789").count();
    assert!((95_000..96_000).contains(&lines), "{lines}");
    assert_eq!(done.stderr.matches("the rest of it is left out").count(), 1);
}

/// A worker that is a script, as `<name>@v1/` in a project of this name.
fn program(name: &'static str, script: &str) -> Project {
    let project = Project::empty(name);
    project.write(&format!("{name}@v1/bin/run"), script);
    let keys = r#""version": "v1", "binary": "bin/run", "routes": [{"path": "/run"}], "timeout_ms": 5000"#;
    project.write(&format!("{name}@v1/fezz.json"), &format!(r#"{{"id": "{name}", {keys}}}"#));
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(project.path(&format!("{name}@v1/bin/run")), executable).unwrap();
    build_runner();
    project
}

#[test]
fn what_a_program_does_instead_of_answering_is_said() {
    if !Path::new("/usr/bin/python3").exists() {
        return skip("/usr/bin/python3 isn't installed");
    }
    // Hello, and then a response to a request that it wasn't asked.
    let lies = r"os.write(0, bytes([0,0,0,0, 1,2,0,0, 1,0,0,0,0,0,0,0, 0,0,0,0, 3,2,0,0, 9,0,0,0,0,0,0,0])); time.sleep(60)";
    for (name, script, status, words) in [
        ("program-exits", "print('no database', file=sys.stderr); sys.exit(3)", "502", "exit status: 3"),
        ("program-hangs", "time.sleep(60)", "504", "the deadline of 5000 ms passed"),
        (
            "program-garbage",
            "os.write(0, b'HTTP/1.1 200 OK, and more'); time.sleep(60)",
            "502",
            "broke the protocol",
        ),
        ("program-lies", lies, "502", "it answered request 1 by Response in Json with the id 9"),
    ] {
        let project = program(name, &format!("#!/usr/bin/python3\nimport os, sys, time\n{script}\n"));
        let done = project.fezz(&format!("invoke /run --from {name}@v1"));
        assert_eq!(done.status, Some(3), "{name}: {done:?}");
        assert!(done.stderr.contains(words) && done.stderr.contains(status), "{name}: {done:?}");
    }
}

#[test]
fn a_program_that_cannot_be_executed_has_a_text_of_its_own() {
    let project = program("program-missing", "#!/nowhere/interpreter\n");
    let done = project.fezz("invoke /run --from program-missing@v1");
    assert_eq!(done.status, Some(3), "{done:?}");
    assert!(done.stderr.contains("the program can't be executed, a host answers 503"), "{done:?}");
}
