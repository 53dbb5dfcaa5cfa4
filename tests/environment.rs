//! The environment of a function: only the variables of its manifest.

use crate::harness::{AUTHOR, Host, Site};
use serde_json::json;

#[test]
fn a_function_sees_the_variables_of_its_manifest_and_no_others() {
    let site = Site::new();
    let env = json!({"LOG": "info", "EMPTY": "", "LD_PRELOAD": "/no/such.so", "SPACED": "a b=c"});
    site.install("author@v1", AUTHOR, json!({"env": env})).install("bare@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let answer = host.get("/rpc/author/env");
    assert_eq!(answer.text(), "EMPTY=\nLD_PRELOAD=/no/such.so\nLOG=info\nSPACED=a b=c");
    assert_eq!(host.get("/rpc/bare/env").text(), "");
    // The dynamic loader never saw LD_PRELOAD: it would have written an error to the log.
    assert!(
        !host.log().iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains("ld.so")))
    );
}

#[test]
fn no_value_of_a_variable_is_on_a_command_line() {
    let site = Site::new();
    site.harm("sleeps_for_ever", json!({"timeout_ms": 60_000}));
    let host = Host::start(site);
    let _running = host.client("GET", "/rpc/sleeps_for_ever").begin();
    let line = crate::harness::wait_for("the runner's command line", || {
        let children = std::fs::read_dir("/proc").unwrap().flatten();
        children
            .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
            .find(|line| line.contains("fezz-runner") && line.contains(host.site.root().to_str().unwrap()))
    });
    // The value is also the function's name, so only `HARM=` with the value would be a leak.
    assert!(line.contains("--env\0HARM\0") && !line.contains("HARM="), "{line:?}");
}
