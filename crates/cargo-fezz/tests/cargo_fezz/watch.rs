//! `cargo fezz watch`: the real host, started and ended by the command.

use crate::harness::Project;
use crate::harness::running::{Running, wait_for};
use crate::harness::watch::{build_programs, get, hosts, served, watch, watch_with};
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::process::Command;

/// A function that answers `text`.
fn write(project: &Project, path: &str, arguments: &str, text: &str) {
    let code = format!(
        "use fezz::prelude::*;\n\n#[fezz_function({arguments})]\nfn hello() -> String {{\n    \
         eprintln!(\"asked for {text}\");\n    \"{text}\".to_owned()\n}}\n"
    );
    project.write(path, &code);
}

#[test]
fn a_change_is_served_and_a_build_that_fails_leaves_the_last_one_with_a_header() {
    let project = Project::function("watch-change", r#"path = "/watch/{id}""#, "execution = \"fork\"\n");
    let mut watch = watch(&project);
    let address = served(&mut watch);
    watch.line(&format!("curl http://{address}/watch/1"));
    assert_eq!(get(&address, "/watch/1").1, "hello");

    write(&project, "src/lib.rs", r#"path = "/watch/{id}""#, "second");
    served(&mut watch);
    assert_eq!(get(&address, "/watch/1").1, "second");
    assert!(watch.line("asked for second").contains("LOG"));

    project.write("src/lib.rs", "fn hello( {}\n");
    watch.line("src/lib.rs:1");
    watch.line("BUILD FAILED: the last good watch-change@v1 is served, with the header `fezz-build: failed`");
    let (head, body) = wait_for("the header", || {
        let answer = get(&address, "/watch/1");
        answer.0.contains("fezz-build: failed").then_some(answer)
    });
    assert!(head.starts_with("HTTP/1.1 200") && body == "second", "{head} {body}");

    write(&project, "src/lib.rs", r#"path = "/watch/{id}""#, "third");
    served(&mut watch);
    let (head, body) = get(&address, "/watch/1");
    assert!(!head.contains("fezz-build") && body == "third", "{head} {body}");
}

#[test]
fn a_request_that_failed_is_replayed_by_invoke() {
    let project = Project::function("watch-failure", r#"path = "/crash""#, "");
    let code = project.read("src/lib.rs").replace("    \"hello\".to_owned()", "    std::process::abort()");
    project.write("src/lib.rs", &code);
    let mut watch = watch(&project);
    let address = served(&mut watch);
    assert!(get(&address, "/crash").0.starts_with("HTTP/1.1 502"));
    let replayed = wait_for("the record", || {
        let done = project.fezz("invoke --failure");
        done.stderr.contains("Replaying").then_some(done)
    });
    assert!(replayed.stderr.contains("the process crashed (signal: 6 (SIGABRT)"), "{replayed:?}");
}

#[test]
fn a_path_dependency_is_watched_and_a_function_of_another_id_takes_the_place_of_the_first() {
    let project = Project::function("watch-path", r#"id = "first", path = "/path""#, "");
    let manifest = project.read("Cargo.toml").replace("[workspace]", "[workspace]\nmembers = [\"words\"]");
    let manifest =
        manifest.replace("[dependencies]\n", "[dependencies]\nwatch-words = { path = \"words\" }\n");
    project.write("Cargo.toml", &manifest);
    project.write(
        "words/Cargo.toml",
        "[package]\nname = \"watch-words\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    project.write("words/src/lib.rs", "pub const WORD: &str = \"one\";\n");
    let code = project.read("src/lib.rs").replace("\"hello\"", "watch_words::WORD");
    project.write("src/lib.rs", &code);
    let mut watch = watch(&project);
    let address = served(&mut watch);
    assert_eq!(get(&address, "/path").1, "one");
    project.write("words/src/lib.rs", "pub const WORD: &str = \"two\";\n");
    // The first build writes Cargo.lock, and so there may be another one before.
    wait_for("the second word", || (get(&address, "/path").1 == "two").then_some(()));
    project.write("src/lib.rs", &code.replace("\"first\"", "\"second\""));
    watch.line("Serving second@v1");
    assert_eq!(get(&address, "/path").1, "two");
    assert!(get(&address, "/rpc/first").0.starts_with("HTTP/1.1 404"));
}

/// Each build writes to it, which would be a change of the sources again.
#[test]
fn its_own_output_below_the_package_is_no_change() {
    let project = Project::function("watch-output", r#"path = "/output""#, "");
    build_programs();
    project.write("output", "");
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_cargo-fezz");
    shell.args(["-c", &format!("exec {program} watch --listen 127.0.0.1:0 > output 2>&1")]);
    project.prepare(&mut shell, "");
    let watch = Running::start(shell);
    let served = |text: &str| text.matches("Serving").count();
    for builds in 1..4 {
        wait_for("a build", || (served(&project.read("output")) >= builds).then_some(()));
        write(&project, "src/lib.rs", r#"path = "/output""#, &format!("text {builds}"));
    }
    wait_for("the last build", || (served(&project.read("output")) >= 4).then_some(()));
    watch.signal(Signal::TERM);
    assert_eq!(watch.end().0, Some(0));
    assert_eq!(served(&project.read("output")), 4, "{}", project.read("output"));
}

#[test]
fn a_signal_ends_the_host_in_order() {
    let project = Project::function("watch-signal", r#"path = "/signal""#, "");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut watch = watch(&project);
        served(&mut watch);
        assert_eq!(hosts("watch-signal").len(), 1);
        watch.signal(signal);
        let hosts = hosts("watch-signal");
        let (status, text) = watch.end();
        assert_eq!(status, Some(0), "{signal:?}: {text}");
        let is_left = |pid: &i32| std::fs::exists(format!("/proc/{pid}")).unwrap();
        assert!(!hosts.iter().any(is_left), "{signal:?}: {hosts:?} of {text}");
    }
}

#[test]
fn its_host_ends_with_it_when_it_is_killed() {
    let project = Project::function("watch-killed", r#"path = "/killed""#, "");
    let mut watch = watch(&project);
    served(&mut watch);
    let [host] = hosts("watch-killed")[..] else { panic!("not one host") };
    watch.signal(Signal::KILL);
    wait_for("the end of the host", || (!hosts("watch-killed").contains(&host)).then_some(()));
}

#[test]
fn a_signal_while_it_compiles_ends_the_compilation() {
    let project = Project::function("watch-compiling", r#"path = "/compiling""#, "");
    // The build script says its process id, and goes on until it is ended.
    let script = "fn main() {\n    std::fs::write(\"script.pid\", std::process::id().to_string()).unwrap();\n    \
                  loop { std::thread::park(); }\n}\n";
    project.write("build.rs", script);
    let watch = watch(&project);
    let script = wait_for("the build script", || {
        let pid = std::fs::read_to_string(project.path("script.pid")).ok()?;
        pid.parse::<i32>().ok()
    });
    watch.signal(Signal::TERM);
    let (status, text) = watch.end();
    assert_eq!(status, Some(0), "{text}");
    wait_for("the end of the build script", || {
        (!std::fs::exists(format!("/proc/{script}")).unwrap()).then_some(())
    });
}

#[test]
fn a_host_that_dies_is_told_with_its_status() {
    let project = Project::function("watch-dies", r#"path = "/dies""#, "");
    let mut watch = watch(&project);
    served(&mut watch);
    let [host] = hosts("watch-dies")[..] else { panic!("not one host") };
    kill_process(Pid::from_raw(host).unwrap(), Signal::KILL).unwrap();
    let (status, text) = watch.end();
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("the host ended by itself (signal: 9 (SIGKILL))"), "{text}");
}

#[test]
fn an_address_that_is_taken_is_told_by_the_host() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let project = Project::function("watch-taken", r#"path = "/taken""#, "");
    let (status, text) = watch_with(&project, &format!("--listen {address}")).end();
    assert_eq!(status, Some(1), "{text}");
    let told = format!("failed to listen on {address}: choose another by --listen");
    assert!(text.contains(&told) && text.contains("the host ended by itself (exit status: 1)"), "{text}");
}

#[test]
fn a_host_that_is_not_there_is_told() {
    let project = Project::function("watch-no-host", r#"path = "/none""#, "");
    let (status, text) = watch_with(&project, "--listen 127.0.0.1:0 --hhrf ./missing").end();
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("failed to start the host `./missing`"), "{text}");
}
