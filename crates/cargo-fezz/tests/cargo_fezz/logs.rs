//! `cargo fezz logs`.

use crate::harness::running::Running;
use crate::harness::{Done, Project};
use std::io::Write;
use std::process::Command;

const LOG: &str = r#"{"timestamp":"2026-01-02T03:04:05.678901Z","level":"INFO","message":"serving todos@v1","functions":1}
{"timestamp":"2026-01-02T03:04:06.678901Z","level":"INFO","message":"stderr","function":"todos@v1","request_id":"0123456789ab","line":"a line"}
{"timestamp":"2026-01-02T03:04:06.778901Z","level":"INFO","message":"event","function":"todos@v1","request_id":"0123456789ab","event_level":"WARN","event_target":"db","line":"slow","fields":"{\"ms\":7}"}
{"timestamp":"2026-01-02T03:04:06.878901Z","level":"INFO","message":"request","function":"todos@v1","request_id":"0123456789ab","method":"GET","path":"/todos","status":200,"duration_us":2500}
{"timestamp":"2026-01-02T03:04:07.678901Z","level":"WARN","message":"request","function":"other@v1","request_id":"fedcba98","method":"GET","path":"/x","status":502,"kind":"function_crashed","error":"killed by signal 11","duration_us":2500}
"#;

/// What `logs` prints of the log, from stdin.
fn logs(name: &'static str, line: &str) -> String {
    let done = logs_of(name, line, LOG);
    assert_eq!((done.status, done.stderr.as_str()), (Some(0), ""));
    done.stdout
}

fn logs_of(name: &'static str, line: &str, log: &str) -> Done {
    let project = Project::empty(name);
    let mut command = project.command("");
    command.arg("fezz").arg("logs").args(line.split_whitespace());
    std::fs::write(project.path("hhrf.log"), log).unwrap();
    command.stdin(std::fs::File::open(project.path("hhrf.log")).unwrap());
    Done::of(command)
}

#[test]
fn a_log_that_is_text_is_told_once_how_to_get_json() {
    let log = "2026-01-02T03:04:05Z  INFO serving \u{1b}[2J\n".repeat(2);
    let done = logs_of("logs-text", "", &log);
    assert_eq!(done.stderr, "warning: the log isn't JSON: start the host with `--log-format json`\n");
    assert_eq!(done.stdout, log.replace('\u{1b}', "\\u{1b}"));
    assert!(logs_of("logs-text-filter", "todos", &log).stderr.contains("--log-format json"));
    assert_eq!(logs_of("logs-mixed", "", &format!("{LOG}text\n")).stderr, "");
}

#[test]
fn the_lines_of_one_function_are_shown_for_a_person() {
    let expected = "03:04:06.678   LOG todos@v1 01234567 a line\n03:04:06.778  WARN todos@v1 01234567 db: slow ms=7\n\
                    03:04:06.878  INFO todos@v1 01234567 GET /todos 200 in 2.5 ms\n";
    assert_eq!(logs("logs-function", "todos"), expected);
    assert_eq!(logs("logs-version", "todos@v1"), expected.replace("todos@v1 ", ""));
    assert_eq!(logs("logs-none", "todos@v2"), "");
    assert!(logs("logs-all", "").contains("serving todos@v1 functions=1"));
}

#[test]
fn errors_or_one_request_are_shown_alone() {
    let crash =
        "03:04:07.678  WARN other@v1 fedcba98 GET /x 502 function_crashed in 2.5 ms: killed by signal 11\n";
    assert_eq!(logs("logs-errors", "--errors"), crash);
    assert_eq!(logs("logs-request", "--request fedc"), crash);
    assert_eq!(logs("logs-json", "--errors --format json"), format!("{}\n", LOG.lines().last().unwrap()));
}

#[test]
fn a_file_is_followed_when_it_is_rotated() {
    let project = Project::empty("logs-file");
    project.write("hhrf.log", LOG);
    let mut command = project.command("");
    command.args("fezz logs --file hhrf.log -n 1 --errors".split(' '));
    let mut follow = Running::start(command);
    follow.line("function_crashed");
    std::fs::rename(project.path("hhrf.log"), project.path("hhrf.log.1")).unwrap();
    project.write("hhrf.log", &LOG.replace("signal 11", "signal 6"));
    follow.line("signal 6");
    let mut log = std::fs::File::options().append(true).open(project.path("hhrf.log")).unwrap();
    log.write_all(LOG.replace("signal 11", "signal 7").as_bytes()).unwrap();
    follow.line("signal 7");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let project = Project::empty("logs-head");
    project.write("hhrf.log", &LOG.repeat(10_000));
    let program = env!("CARGO_BIN_EXE_cargo-fezz");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{program} logs --file hhrf.log -n 50000 --no-follow | head -1; exit 0")]);
    let done = project.run(shell, "");
    assert!(done.stdout.contains("serving") && done.stderr.is_empty(), "{done:?}");
}
