//! `--gateway`: functions of one YAML file.

use crate::harness::{AUTHOR, Host, Site, binary, wait_for};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// A site with the gateway file `text`, whose modules lie in `lib/` beside it.
fn site(text: &str) -> Site {
    let site = Site::new();
    let lib = site.root().join("lib");
    fs::create_dir(&lib).unwrap();
    fs::copy(binary(AUTHOR), lib.join("author.so")).unwrap();
    fs::write(file(&site), text).unwrap();
    site
}

fn file(site: &Site) -> PathBuf {
    site.root().join("edge.yaml")
}

fn start(site: Site) -> Host {
    let file = file(&site);
    Host::with_flags(site, &["--gateway", file.to_str().unwrap()])
}

/// A function of the file, whose variable `MARK` is `mark` and whose route is its name.
fn function(name: &str, mark: &str) -> String {
    format!(
        "  {name}:\n    entry: lib/author.so\n    env: {{MARK: {mark}}}\n    routes:\n      - path: /{name}/env\n        method: GET\n"
    )
}

fn refusal(host: &Host) -> String {
    let is_refusal = |line: &serde_json::Value| {
        line["message"].as_str().is_some_and(|text| text.starts_with("not served"))
    };
    host.logged("the refusal", is_refusal)["message"].as_str().unwrap().to_owned()
}

#[test]
fn functions_of_the_file_are_served_beside_those_of_the_folder() {
    let site = site(&format!("service: edge\nfunctions:\n{}{}", function("one", "a"), function("two", "b")));
    site.install("three@v1", AUTHOR, json!({"env": {"MARK": "c"}}));
    let host = start(site);
    let texts =
        ["/one/env", "/two/env", "/rpc/two@v1/env", "/rpc/three/env"].map(|path| host.get(path).text());
    assert_eq!(texts, ["MARK=a", "MARK=b", "MARK=b", "MARK=c"]);
}

#[test]
fn a_folder_functions_is_not_needed_and_is_served_once_it_is_there() {
    let site = site(&format!("functions:\n{}", function("one", "a")));
    fs::remove_dir(site.root().join("functions")).unwrap();
    let host = start(site);
    assert_eq!(host.get("/one/env").text(), "MARK=a");
    host.site.install("two@v1", AUTHOR, json!({"env": {"MARK": "b"}}));
    wait_for("the folder", || (host.get("/rpc/two/env").text() == "MARK=b").then_some(()));
}

#[test]
fn a_changed_file_is_served_and_a_broken_one_leaves_the_last_good_one() {
    let host = start(site(&format!("functions:\n{}", function("one", "a"))));
    fs::write(file(&host.site), format!("functions:\n{}", function("one", "b"))).unwrap();
    wait_for("the change", || (host.get("/one/env").text() == "MARK=b").then_some(()));
    let reloads =
        wait_for("its count", || Some(host.metric("fezz_reloads_total")).filter(|count| *count > 0.0));

    fs::write(file(&host.site), "functions: [\n").unwrap();
    host.signal(Signal::HUP);
    let line = host.logged("the error", |line| line.to_string().contains("reload failed")).to_string();
    assert!(line.contains("edge.yaml") && line.contains("line 2, column 1: this is not YAML"), "{line}");
    // The folder's own changes are served meanwhile.
    host.site.install("two@v1", AUTHOR, json!({"env": {"MARK": "c"}}));
    wait_for("the folder", || (host.get("/rpc/two/env").text() == "MARK=c").then_some(()));
    assert_eq!(host.get("/one/env").text(), "MARK=b");
    // Nothing reads as a success.
    assert_eq!((host.metric("fezz_reload_failed"), host.metric("fezz_reloads_total")), (1.0, reloads));
    let log = host.log();
    let since = log.iter().skip_while(|line| !line.to_string().contains("reload failed"));
    assert!(since.clone().all(|line| !line.to_string().contains("\"serving ")), "{log:?}");

    fs::write(file(&host.site), "functions: {}\n").unwrap();
    wait_for("the end of the function", || (host.get("/one/env").status == 404).then_some(()));
    wait_for("the end of the alarm", || (host.metric("fezz_reload_failed") == 0.0).then_some(()));
}

#[test]
fn a_changed_module_is_served() {
    let host = start(site(&format!("functions:\n{}", function("one", "a"))));
    assert_eq!(host.get("/one/env").status, 200);
    let module = host.site.root().join("lib/author.so");
    fs::write(module.with_extension("new"), "no module").unwrap();
    fs::rename(module.with_extension("new"), module).unwrap();
    let sentence = refusal(&host);
    assert!(sentence.contains("edge.yaml:2`") && sentence.contains("lib/author.so"), "{sentence}");
    assert_eq!(host.get("/one/env").text(), "MARK=a");
}

#[test]
fn a_function_that_is_wrong_is_refused_with_its_place_and_the_others_are_served() {
    let wrong = "  two:\n    entry: lib/author.so\n    tiemout_ms: 5\n";
    let host = start(site(&format!("functions:\n{}{wrong}", function("one", "a"))));
    let sentence = refusal(&host);
    for part in [
        "edge.yaml:8`",
        "line 10, column 5: function `two`: key `tiemout_ms` is unknown: did you mean `timeout_ms`?",
    ] {
        assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
    }
    assert_eq!(host.get("/one/env").text(), "MARK=a");
    assert_eq!(host.metric("fezz_functions_refused "), 1.0);
}

#[test]
fn a_conflict_of_both_sources_is_told_as_any_other() {
    let site = site(&format!("functions:\n{}{}", function("one", "a"), function("two", "b")));
    site.install("one@v1", AUTHOR, json!({"env": {"MARK": "c"}}));
    site.install("three@v1", AUTHOR, json!({"routes": [{"path": "/two/env", "method": "GET"}]}));
    let host = start(site);
    let log: String = host.log().iter().map(ToString::to_string).collect();
    assert!(log.contains("`one@v1` is already that of"), "{log}");
    assert!(log.contains("two@v1") && log.contains("three@v1") && log.contains("/two/env"), "{log}");
    assert_eq!(host.get("/rpc/one/env").text(), "MARK=c");
}

#[test]
fn the_domains_of_a_function_hold_for_its_routes() {
    let text = function("one", "a").replace("    routes:", "    domains: [a.example]\n    routes:");
    let host = start(site(&format!("functions:\n{text}")));
    assert_eq!(host.client("GET", "/one/env").host("a.example").send().text(), "MARK=a");
    assert_eq!(host.client("GET", "/one/env").host("b.example").send().status, 404);
}

#[test]
fn a_file_that_is_wrong_at_the_start_ends_the_host_with_the_place() {
    let site = site("servce: edge\nfunctions: {}\n");
    let output = Host::command(&site).arg("--gateway").arg(file(&site)).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("line 1, column 1: key `servce` is unknown: did you mean `service`?"), "{text}");
}
