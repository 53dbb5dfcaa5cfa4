//! `cargo fezz invoke`: the real runner, in its strict jail.

use crate::harness::{Done, Project, build_runner};

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
