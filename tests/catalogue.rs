//! Reloads: the new set of functions replaces the old one at once, requests in flight finish, and a bad function
//! disables no other.

use crate::harness::{AUTHOR, HARMFUL, Host, Site, wait_for};
use rustix::process::Signal;
use serde_json::json;
use std::time::Instant;

#[test]
fn a_new_function_is_served_and_a_removed_one_is_not() {
    let site = Site::new();
    site.install("first@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    host.site.install("second@v1", AUTHOR, json!({"routes": [{"path": "/second"}]}));
    wait_for("the new function", || (host.get("/second").status == 200).then_some(()));
    std::fs::remove_dir_all(host.site.function("first@v1")).unwrap();
    wait_for("the old one's end", || (host.get("/rpc/first").status == 404).then_some(()));
    assert_eq!(host.get("/second").status, 200);
}

#[test]
fn sighup_reloads_the_functions() {
    let host = Host::start(Site::new());
    let before = host.metric("fezz_reloads_total");
    host.signal(Signal::HUP);
    wait_for("the reload", || (host.metric("fezz_reloads_total") > before).then_some(()));
}

#[test]
fn a_request_in_flight_during_a_reload_keeps_its_release() {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let running = host.client("GET", "/rpc/author/sleep?ms=1200").begin();
    host.logged("the function's start", |line| line["line"] == "sleeping");
    std::fs::remove_dir_all(host.site.function("author@v1")).unwrap();
    wait_for("the function's end", || (host.get("/rpc/author").status == 404).then_some(()));
    assert_eq!(crate::harness::Answer::read(running, Instant::now()).text(), "slept");
}

#[test]
fn a_broken_manifest_disables_neither_its_function_nor_others() {
    let site = Site::new();
    site.install("good@v1", AUTHOR, json!({})).install("other@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    host.site.write("good@v1", AUTHOR, "{\"id\": ");
    host.logged("the refusal", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.contains("good@v1")
            && text.contains("is not JSON")
            && text.contains("previous release is still served")
    });
    assert_eq!((host.get("/rpc/good/pid").status, host.get("/rpc/other/pid").status), (200, 200));
    // After the fix, the new release answers.
    host.site.install("good@v1", HARMFUL, json!({"env": {"HARM": "answers_well"}}));
    wait_for("the new release", || (host.get("/rpc/good").text() == "well").then_some(()));
}

#[test]
fn a_broken_module_leaves_the_accepted_one_in_service() {
    let site = Site::new();
    site.install("f@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let module = host.site.function("f@v1").join(AUTHOR);
    // Overwritten in place, as by cp(1): a process that maps this file would crash.
    let whole = std::fs::read(&module).unwrap();
    std::fs::write(&module, &whole[..whole.len() / 2]).unwrap();
    host.logged("the refusal", |line| {
        let text = line["message"].as_str().unwrap_or_default();
        text.contains("not a complete 64-bit ELF file") && text.contains("previous release is still served")
    });
    assert_eq!(host.get("/rpc/f/pid").status, 200);
    std::fs::remove_file(&module).unwrap();
    host.logged("the second refusal", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("doesn't exist"))
    });
    assert_eq!(host.get("/rpc/f/pid").status, 200);
}

#[test]
fn a_new_function_does_not_take_a_route_from_its_owner() {
    let site = Site::new();
    let routes = json!({"routes": [{"path": "/mine/{id}", "method": "GET"}]});
    site.install("zebra@v1", AUTHOR, routes);
    let host = Host::start(site);
    let theirs = json!({"routes": [{"path": "/free"}, {"path": "/mine/{name}", "method": ["PUT", "GET"]}]});
    host.site.install("ape@v1", AUTHOR, theirs);
    let refusal = host.logged("the refusal", |line| {
        line["message"].as_str().is_some_and(|text| text.contains("is already"))
    });
    let text = refusal["message"].as_str().unwrap();
    assert!(text.contains("`GET /mine/{name}` of `ape@v1` is already `/mine/{id}` of `zebra@v1`"), "{text}");
    assert!(host.get("/mine/request").text().contains("function zebra@v1"));
    assert_eq!((host.get("/free").status, host.get("/rpc/ape").status), (404, 404), "it is refused whole");
    std::fs::remove_dir_all(host.site.function("zebra@v1")).unwrap();
    wait_for("the route for the other", || host.get("/mine/request").text().contains("ape@v1").then_some(()));
}

#[test]
fn the_latest_version_of_a_function_has_its_routes() {
    let site = Site::new();
    let routes = json!({"routes": [{"path": "/x/request"}]});
    site.install("f@v1", AUTHOR, routes.clone()).install("f@v2", AUTHOR, routes.clone());
    let host = Host::start(site);
    assert!(host.get("/x/request").text().contains("function f@v2"));
    assert!(host.get("/rpc/f@v1/request").text().contains("function f@v1"));
    host.site.install("f@v3", AUTHOR, routes);
    wait_for("the newest", || host.get("/x/request").text().contains("function f@v3").then_some(()));
}

#[test]
fn keys_that_the_manifest_leaves_out_come_from_the_module() {
    let site = Site::new();
    let bare = json!({"id": "author", "version": "v1", "entry": AUTHOR}).to_string();
    site.write("author@v1", AUTHOR, &bare);
    let host = Host::start(site);
    assert_eq!(host.get("/from-metadata").status, 200);
    assert_eq!(host.client("POST", "/from-metadata").send().status, 405);
    let text = host.get("/rpc/author/request").text();
    let left_ms: u64 =
        text.lines().find_map(|line| line.strip_prefix("time_left_ms ")).unwrap().parse().unwrap();
    assert!(left_ms <= 5000, "{left_ms}: the module says 5 s");
}

#[test]
fn a_changed_concurrency_limit_counts_requests_under_way_too() {
    let site = Site::new();
    let limits = |concurrency: u32| json!({"limits": {"concurrency": concurrency, "queue": 0}});
    site.install("author@v1", AUTHOR, limits(2));
    let host = Host::start(site);
    let running: Vec<_> = (0..2).map(|_| host.client("GET", "/rpc/author/sleep?ms=3000").begin()).collect();
    wait_for("both to run", || (host.metric(r#"fezz_processes{function="author@v1"}"#) == 2.0).then_some(()));
    let reloads = host.metric("fezz_reloads_total");
    host.site.install("author@v1", AUTHOR, limits(3));
    wait_for("the reload", || (host.metric("fezz_reloads_total") > reloads).then_some(()));
    // One more request may run, not three.
    let third = host.client("GET", "/rpc/author/sleep?ms=3000").begin();
    wait_for("the third", || (host.metric(r#"fezz_processes{function="author@v1"}"#) == 3.0).then_some(()));
    assert_eq!(host.get("/rpc/author").outcome(), (503, "overloaded"));
    for running in running.into_iter().chain([third]) {
        assert_eq!(crate::harness::Answer::read(running, Instant::now()).text(), "slept");
    }
}

#[test]
fn a_served_function_that_claims_the_route_of_another_keeps_its_previous_release() {
    let site = Site::new();
    let routes = |paths: &[&str]| json!({"routes": paths.iter().map(|path| json!({"path": path})).collect::<Vec<_>>()});
    site.install("b@v1", AUTHOR, routes(&["/b/pid"])).install("z@v1", AUTHOR, routes(&["/z/pid"]));
    let host = Host::start(site);
    host.site.install("b@v1", AUTHOR, routes(&["/b/pid", "/z/pid"]));
    host.logged("the conflict", |line| {
        line["message"].as_str().is_some_and(|text| {
            text.contains("functions/b@v1/fezz.json")
                && text.contains("is already")
                && text.contains("of `z@v1`")
        })
    });
    for path in ["/b/pid", "/z/pid", "/rpc/z@v1/pid"] {
        assert_eq!(host.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_folder_of_functions_that_is_replaced_is_watched_as_before() {
    let site = Site::new();
    site.install("first@v1", AUTHOR, json!({}));
    let host = Host::start(site);
    let functions = host.site.root().join("functions");
    std::fs::rename(&functions, functions.with_file_name("old")).unwrap();
    std::fs::create_dir(&functions).unwrap();
    for function in ["second@v1", "third@v1"] {
        host.site.install(function, AUTHOR, json!({}));
        let path = format!("/rpc/{function}");
        wait_for("the new function", || (host.get(&path).status == 200).then_some(()));
    }
}
