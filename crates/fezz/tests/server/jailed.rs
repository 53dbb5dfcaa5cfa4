//! Functions of a folder, each request in a jailed process, beside those of the program.

use crate::functions::says;
use crate::harness::{Running, config};
use fezz::prelude::*;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Where this test's own profile is built, with the runner and the module of `examples/hello`.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().to_owned();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "fezz-runner", "-p", "example_hello"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "the runner and the example don't build");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn native_and_jailed_functions_are_served_side_by_side() {
    let (built, site) = (tokio::task::spawn_blocking(built).await.unwrap(), tempfile::tempdir().unwrap());
    // A host that is root gives functions uids of their own.
    std::fs::set_permissions(site.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let folder = site.path().join("services");
    let release = folder.join("greet@v1");
    std::fs::create_dir_all(&release).unwrap();
    std::fs::copy(built.join("libexample_hello.so"), release.join("libgreet.so")).unwrap();
    let manifest = r#"{"id": "greet", "version": "v1", "entry": "libgreet.so"}"#;
    std::fs::write(release.join("fezz.json"), manifest).unwrap();

    let config = config()
        .set("runner", built.join("fezz-runner"))
        .set("modules", site.path().join("modules"))
        .env("API_KEY", "secret");
    let server = HhrfServer::new(config);
    server.register_function("f", Box::new(says("native"))).await.unwrap();
    server.serve_folder(&folder);
    let running = Running::start(&server).await;
    assert_eq!(
        (running.get("/f").await.text(), running.get("/greet").await.text()),
        ("native".into(), "Hello, world!".into())
    );
    // A reload keeps both.
    running.server.register_function("g", Box::new(says("later"))).await.unwrap();
    assert_eq!((running.get("/g").await.text(), running.get("/greet").await.status), ("later".into(), 200));
    // The folder can't be read any more: what was served is, and functions come all the same.
    std::fs::rename(&folder, site.path().join("gone")).unwrap();
    running.server.register_function("h", Box::new(says("last"))).await.unwrap();
    assert_eq!((running.get("/h").await.text(), running.get("/greet").await.status), ("last".into(), 200));
    assert!(running.get("/_metrics").await.text().contains("\nfezz_reload_failed 1\n"));
    running.stop().await;
}

#[tokio::test]
async fn a_folder_needs_a_runner_and_must_be_there() {
    let server = HhrfServer::new(config().set("runner", "/no/such/runner"));
    server.serve_folder("functions");
    let error = server.bind().await.unwrap_err().to_string();
    assert!(error.contains("/no/such/runner"), "{error}");
}

#[test]
fn fezz_without_the_feature_builds_nothing_of_the_host() {
    let tree = |more: &[&str]| {
        let mut tree = Command::new(env!("CARGO"));
        tree.args(["tree", "-p", "fezz", "-e", "normal", "--prefix", "none", "--format", "{p}", "--offline"]);
        let tree = String::from_utf8(tree.args(more).output().unwrap().stdout).unwrap();
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        names.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let (plain, server) = (tree(&[]), tree(&["--features", "server"]));
    for name in ["hhrf", "hyper", "tokio", "fezz-control-plane", "async-trait"] {
        assert!(!plain.contains(name) && server.contains(name), "{name}: {plain:?}");
    }
    for name in ["clap", "tikv-jemallocator", "tracing-subscriber"] {
        assert!(!server.contains(name), "{name} is the program's: {server:?}");
    }
}
