//! `cargo fezz test`: the author's tests, in the test's process and in the jail.

use crate::harness::{Project, build_runner};

const FUNCTION: &str = r#"use fezz::prelude::*;

#[fezz_function(path = "/try/{what}")]
fn hello(Path(what): Path<String>) -> Result<String, FezzError> {
    eprintln!("trying {what}");
    match what.as_str() {
        "crash" => std::process::abort(),
        "files" => Ok(std::fs::read_to_string("/etc/hostname")?),
        "env" => Ok(std::env::var("GREETING").unwrap_or_default()),
        _ => Ok("hello".to_owned()),
    }
}

#[test]
fn a_unit_test() {
    let answer = fezz::testing::InProcess::new(HelloFunction::new()).get("/try/it").send();
    assert_eq!(answer.expect(200).text(), "hello");
}
"#;

const JAILED: &str = r#"use fezz::testing::Sandboxed;

#[test]
fn works_in_the_jail() {
    let app = Sandboxed::built().unwrap();
    assert_eq!(app.get("/try/it").send().expect(200).text(), "hello");
    assert_eq!(app.get("/try/env").send().expect(200).text(), "Good day");
    assert_eq!(app.get("/nowhere").send().status(), 404);
    let refused = app.get("/try/files").send();
    assert_eq!((refused.status(), refused.kind()), (500, Some("function_error")), "{refused}");
    let crash = app.get("/try/crash").send();
    assert_eq!((crash.status(), crash.kind()), (502, Some("function_crashed")), "{crash}");
    assert!(crash.log().contains("trying crash"), "{}", crash.log());
    assert_eq!(app.env("GREETING", "hi").get("/try/env").send().text(), "hi");
}
"#;

fn project(name: &'static str) -> Project {
    let project = Project::function(name, r#"path = "/try""#, "env = { GREETING = \"Good day\" }");
    let manifest = project.read("Cargo.toml");
    let dependency = manifest.lines().find(|line| line.starts_with("fezz = ")).unwrap();
    let testing = dependency.replace(" }", ", features = [\"testing\"] }");
    project.write("Cargo.toml", &format!("{manifest}\n[dev-dependencies]\n{testing}\n"));
    project.write("src/lib.rs", FUNCTION);
    project.write("tests/jail.rs", JAILED);
    project
}

#[test]
fn unit_tests_and_jailed_tests_run_with_one_command() {
    build_runner();
    let project = project("test-both");
    let done = project.fezz("test --debug");
    assert_eq!(done.status, Some(0), "{done:?}");
    for test in ["a_unit_test ... ok", "works_in_the_jail ... ok"] {
        assert!(done.stdout.contains(test), "{done:?}");
    }
    let unjailed = project.fezz("test --debug --jail off -- --test jail");
    assert_eq!(unjailed.status, Some(3), "the test notices that there is no jail: {unjailed:?}");
    assert!(unjailed.stdout.contains("works_in_the_jail ... FAILED"), "{unjailed:?}");
}
