//! `cargo fezz build`.

use crate::harness::{Done, Project, build_runner, on_path, skip};
use serde_json::json;

#[test]
fn build_makes_a_release_of_what_the_attribute_says() {
    let attribute = r#"id = "greeter", version = "v2", path = "/greet", method = "GET", timeout = "5s""#;
    let project = Project::function("build-attribute", attribute, "");
    let built = project.fezz("build --format json").result();
    assert_eq!((&built["function"], &built["outcome"]), (&json!("greeter@v2"), &json!("created")));
    let manifest = json!({
        "id": "greeter", "version": "v2", "entry": "libbuild_attribute.so", "timeout_ms": 5000,
        "routes": [{"path": "/greet", "method": "GET"}],
    });
    assert_eq!(project.json("functions/greeter@v2/fezz.json"), manifest);
    assert!(built["module_bytes"].as_u64().unwrap() < 1 << 20, "a hello of more than 1 MiB: {built}");
    assert!(project.path("functions/greeter@v2/libbuild_attribute.so").exists());
    assert_eq!(project.fezz("build --format json").result()["outcome"], "unchanged");
}

#[test]
fn keys_of_cargo_toml_go_over_those_of_the_attribute() {
    let keys =
        "version = \"v7\"\nexecution = \"fork\"\nenv = { LOG = \"info\" }\nlimits = { concurrency = 3 }\n";
    let project = Project::function("build-keys", r#"version = "v2", path = "/keys""#, keys);
    assert_eq!(project.fezz("build --debug --out elsewhere").status, Some(0));
    let manifest = project.json("elsewhere/functions/build-keys@v7/fezz.json");
    assert_eq!(manifest["execution"], "fork");
    assert_eq!((&manifest["env"]["LOG"], &manifest["limits"]["concurrency"]), (&json!("info"), &json!(3)));
    assert_eq!(manifest["routes"][0]["path"], "/keys");
}

#[test]
fn a_wrong_key_is_refused_with_the_nearest_and_makes_nothing() {
    let project = Project::function("build-wrong-key", r#"path = "/wrong""#, "executon = \"fork\"\n");
    project
        .fezz("build --debug")
        .failed_with(&["key `executon` is unknown: did you mean `execution`?", "Cargo.toml"]);
    assert!(!project.path("functions").exists());
}

#[test]
fn a_wrong_value_is_refused_by_the_host_s_rules() {
    let project = Project::function(
        "build-wrong-value",
        r#"path = "/wrong""#,
        "[package.metadata.fezz.limits]\nthreads = 0\n",
    );
    project.fezz("build --debug").failed_with(&["key `limits.threads` is 0: it must be 1 to 10000"]);
    let project = Project::function("build-wrong-route", "", "routes = [{ path = \"hello\" }]\n");
    project.fezz("build --debug").failed_with(&["key `routes[0]`: the path `hello`"]);
}

#[test]
fn a_crate_without_cdylib_is_told_the_lines_to_add() {
    let project = Project::function("build-no-cdylib", r#"path = "/none""#, "");
    let manifest = project.read("Cargo.toml").replace("[lib]\ncrate-type = [\"cdylib\"]\n", "");
    project.write("Cargo.toml", &manifest);
    project.fezz("build").failed_with(&["[lib]", "crate-type = [\"cdylib\"]", "build-no-cdylib/Cargo.toml"]);
}

#[test]
fn a_crate_without_the_attribute_is_told_to_use_it() {
    let project = Project::function("build-no-attribute", r#"path = "/none""#, "");
    project.write("src/lib.rs", "pub fn hello() {}\n");
    project
        .fezz("build --debug")
        .failed_with(&["doesn't export `fezz_handle_v2`: put #[fezz_function] on a function"]);
}

#[test]
fn code_that_does_not_compile_leaves_the_release_as_it_was() {
    let project = Project::function("build-broken", r#"path = "/broken""#, "");
    assert_eq!(project.fezz("build --debug").status, Some(0));
    let release = || std::fs::read(project.path("functions/build-broken@v1/libbuild_broken.so")).unwrap();
    let before = release();
    project.write("src/lib.rs", "fn hello( {}\n");
    project.fezz("build --debug").failed_with(&["can't compile the function", "src/lib.rs:1"]);
    assert!(release() == before, "the module has changed");
}

#[test]
fn outside_of_a_package_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::empty("build-nowhere");
    let path = folder.path().join("Cargo.toml");
    project
        .fezz(&format!("build --manifest-path {}", path.display()))
        .failed_with(&["--manifest-path", "does not exist"]);
}

#[test]
fn a_workspace_with_several_functions_asks_for_the_package() {
    let project = Project::empty("build-several");
    project.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n");
    for name in ["a", "b"] {
        let manifest =
            format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n");
        project.write(&format!("{name}/Cargo.toml"), &manifest);
        project.write(&format!("{name}/src/lib.rs"), "");
    }
    project.fezz("build").failed_with(&["choose one by --package: a, b"]);
    project.fezz("build -p c").failed_with(&["there is no package `c`: use one of a, b"]);
    project.fezz_in("b/src", "build --debug").failed_with(&["libb.so` doesn't export"]);
}

#[test]
fn a_module_for_an_older_glibc_is_linked_by_zigbuild() {
    if !on_path("cargo-zigbuild") {
        return skip("cargo-zigbuild isn't installed");
    }
    let project = Project::function("build-target", r#"path = "/target""#, "");
    let built = project.fezz("build --target x86_64-unknown-linux-gnu.2.28 --format json").result();
    let folder = built["folder"].as_str().unwrap();
    let checked = project.fezz(&format!("check {folder} --glibc 2.28"));
    assert_eq!(checked.status, Some(0), "{checked:?}");
    build_runner();
    assert_eq!(project.fezz("invoke /target --body").stdout, "hello");
}

#[test]
fn a_target_without_zigbuild_is_told_how_to_install_it() {
    let project = Project::function("build-no-zigbuild", r#"path = "/target""#, "");
    let mut build = project.command("");
    let cargo = std::path::Path::new(env!("CARGO")).parent().unwrap();
    build
        .args(["build", "--target", "aarch64-unknown-linux-gnu"])
        .env("PATH", cargo)
        .env("CARGO_HOME", "/nowhere");
    let build = Done::of(build);
    build.failed_with(&["cargo install cargo-zigbuild", "pip install ziglang", "aarch64-unknown-linux-gnu"]);
}
