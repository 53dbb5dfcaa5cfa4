//! `cargo fezz new`.

use crate::harness::{Project, build_runner};
use std::process::Command;

#[test]
fn a_new_project_is_tested_and_built_as_it_is() {
    let project = Project::empty("new-hello");
    assert_eq!(project.fezz("new greet-hello").status, Some(0));
    project.lock("greet-hello");
    build_runner();
    let tested = project.fezz_in("greet-hello", "test --debug");
    assert_eq!(tested.status, Some(0), "{tested:?}");
    for test in ["a_visitor_is_greeted_by_name ... ok", "the_function_answers_in_the_jail ... ok"] {
        assert!(tested.stdout.contains(test), "{tested:?}");
    }
    let built = project.fezz_in("greet-hello", "build --format json").result();
    assert_eq!(built["function"], "greet-hello@v1");
    assert_eq!(
        project.json("greet-hello/functions/greet-hello@v1/fezz.json")["routes"][0]["path"],
        "/greet-hello"
    );
}

/// Makes the project, and has its own tests pass. Returns the size of its module, whose symbols are stripped.
fn tested_and_built(name: &'static str, template: &str, tests: &str) -> u64 {
    let project = Project::empty(name);
    assert_eq!(project.fezz(&format!("new {name} --template {template}")).status, Some(0));
    project.lock(name);
    build_runner();
    let tested = project.fezz_in(name, "test --debug");
    assert!(tested.status == Some(0) && tested.stdout.contains(tests), "{tested:?}");
    let strip = "build --format json -- --config profile.release.strip=true";
    project.fezz_in(name, strip).result()["module_bytes"].as_u64().unwrap()
}

#[test]
fn a_new_json_api_is_tested_and_built_as_it_is() {
    let bytes = tested_and_built("new-json-api", "json-api", "2 passed");
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

#[test]
fn a_new_project_with_axum_is_tested_and_built_as_it_is() {
    let bytes = tested_and_built("new-axum", "axum", "3 passed");
    assert!(bytes < 3 << 20, "{bytes} bytes");
}

#[test]
fn a_new_project_in_c_is_built_by_make_and_has_no_fault() {
    let project = Project::empty("new-c");
    assert_eq!(project.fezz("new greet-c --template c").status, Some(0));
    let made = project.run(Command::new("make"), "greet-c");
    assert_eq!(made.status, Some(0), "{made:?}");
    let checked = project.fezz_in("greet-c", "check functions/greet-c@v1 --deny-warnings");
    assert_eq!(checked.status, Some(0), "{checked:?}");
    build_runner();
    let done = project.fezz_in("greet-c", "invoke /greet-c -H X-Name:Ada --body");
    assert_eq!(done.stdout, "Hello, Ada, from C!\n", "{done:?}");
}

#[test]
fn a_name_that_can_not_be_a_function_s_is_refused() {
    let project = Project::empty("new-names");
    for (name, words) in
        [("-x", "--"), ("_x", "doesn't begin with"), ("a.b", "package's name"), ("7up", "package's name")]
    {
        let done = project.fezz(&format!("new {name}"));
        assert!(done.status != Some(0) && done.stderr.contains(words), "{name}: {done:?}");
        assert!(!project.path(name).exists());
    }
    project.write("taken/file", "");
    project.fezz("new taken").failed_with(&["`taken` is there already"]);
}

#[test]
fn a_missing_crate_fezz_is_told_where_it_comes_from() {
    let project = Project::empty("new-fezz");
    project.fezz("new x --fezz-path nowhere").failed_with(&[
        "not on crates.io",
        "clone",
        "--fezz-path",
        "--fezz-git",
    ]);
    assert!(!project.path("x").exists());
    assert_eq!(project.fezz("new x --fezz-git https://example.org/fezz").status, Some(0));
    assert!(project.read("x/Cargo.toml").contains("fezz = { git = \"https://example.org/fezz\" }"));
}

#[test]
fn a_new_worker_is_tested_built_checked_invoked_and_deployed_as_it_is() {
    let project = Project::empty("new-worker");
    let fezz = |line: &str| project.fezz_in("visits", line);
    assert_eq!(project.fezz("new visits --template worker").status, Some(0));
    project.lock("visits");
    build_runner();
    let tested = fezz("test --debug");
    assert!(tested.status == Some(0) && tested.stdout.contains("1 passed"), "{tested:?}");
    let built = fezz("build --format json").result();
    assert!(built["module_bytes"].as_u64().unwrap() < 1 << 20, "{built}");
    let manifest = project.json("visits/functions/visits@v1/fezz.json");
    assert_eq!((&manifest["binary"], manifest.get("entry")), (&"bin/visits".into(), None));
    let checked = fezz("check functions/visits@v1 --deny-warnings");
    assert!(checked.status == Some(0) && checked.stdout.contains("an ELF program"), "{checked:?}");
    assert_eq!(fezz("check --deny-warnings").status, Some(0));
    assert_eq!(fezz("invoke /visits --body").stdout, "You are visitor 1.\n");
    std::fs::create_dir(project.path("host")).unwrap();
    assert_eq!(fezz("deploy ../host --format json").result()["outcome"], "created");
    assert_eq!(fezz("deploy ../host --format json").result()["outcome"], "unchanged");
    assert!(project.path("host/functions/visits@v1/bin/visits").is_file());
}
