//! Secrets in development: the option `--secrets` of `invoke`, `test` and `watch`.

use crate::harness::watch::{get, served, watch_with};
use crate::harness::{Project, build_runner};

const KEYS: &str = "secrets = { TOKEN = \"token\" }\nresources = { db = \"secret:db-url\" }";

const FUNCTION: &str = r#"use fezz::prelude::*;

#[fezz_function(path = "/secrets")]
fn secrets(_: Request, context: &FunctionContext) -> Result<String, FezzError> {
    Ok(format!("{} {}", context.require_env("TOKEN")?, context.require_resource("db")?))
}
"#;

const TESTS: &str = r#"use fezz::testing::Sandboxed;

#[test]
fn has_its_secrets() {
    let app = Sandboxed::built().unwrap();
    assert_eq!(app.get("/secrets").send().expect(200).text(), "hunter2 redis://cache:7000");
    let app = app.env("TOKEN", "a").resource("db", "redis://b");
    assert_eq!(app.get("/secrets").send().expect(200).text(), "a redis://b");
}
"#;

fn project(name: &'static str) -> Project {
    let project = Project::function(name, r#"path = "/secrets""#, KEYS);
    let manifest = project.read("Cargo.toml");
    let dependency = manifest.lines().find(|line| line.starts_with("fezz = ")).unwrap();
    let testing = dependency.replace(" }", ", features = [\"testing\"] }");
    project.write("Cargo.toml", &format!("{manifest}\n[dev-dependencies]\n{testing}\n"));
    project.write("src/lib.rs", FUNCTION);
    project.write("tests/jail.rs", TESTS);
    project.write("dev/token", "hunter2\n");
    project.write("dev/db-url", "redis://cache:7000\n");
    project
}

#[test]
fn a_request_and_the_tests_have_the_secrets_of_a_folder() {
    build_runner();
    let project = project("secrets-invoke");
    assert_eq!(project.fezz("build --debug").status, Some(0));
    let done = project.fezz("invoke /secrets --body --secrets dev");
    assert_eq!(done.stdout, "hunter2 redis://cache:7000", "{done:?}");
    let without = project.fezz("invoke /secrets");
    without.failed_with(&["key `secrets.TOKEN` names the secret `token`", "--secrets (HHRF_SECRETS)"]);
    let tests = project.fezz("test --debug --secrets dev -- --test jail");
    assert!(tests.status == Some(0) && tests.stdout.contains("has_its_secrets ... ok"), "{tests:?}");
}

#[test]
fn a_watched_function_has_the_secrets_of_a_folder() {
    let project = project("secrets-watch");
    let mut watch = watch_with(&project, "--listen 127.0.0.1:0 --secrets dev");
    let address = served(&mut watch);
    assert_eq!(get(&address, "/secrets").1, "hunter2 redis://cache:7000");
}
