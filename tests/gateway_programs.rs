//! A gateway file that names programs: the examples, reached by their domains as clients reach them.

use crate::harness::{Answer, Connection, Host, Site, binary, on_path, skip, wait_for};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// One list of items, which is there as long as its only worker.
const ITEMS: &str = "
service: edge-gateway
functions:
  items:
    domains: [api.example.com]
    binary: bin/items
    worker: {max: 1}
    routes:
      - path: /items
        method: [GET, POST]
      - path: /items/:id
        method: GET
";

/// The example in Python, and a program that tells the URL of its resource.
const OTHERS: &str = "
  words:
    domains: [words.example.com]
    binary: bin/words
    worker: {max: 1}
    routes:
      - path: /words
        method: POST
      - path: /words/:word
        method: GET
  probe:
    binary: bin/probe
    resources: {postgres: 'secret:db-url'}
    routes:
      - path: /resource
";

fn file(site: &Site) -> PathBuf {
    site.root().join("edge.yaml")
}

/// A host of the gateway file `text`, with the programs that it names beside it.
fn serve(text: &str) -> Host {
    let site = Site::new();
    let programs = site.root().join("bin");
    fs::create_dir(&programs).unwrap();
    for name in ["items", "users"] {
        fs::copy(binary("example_worker_items"), programs.join(name)).unwrap();
    }
    fs::copy(Path::new(EXAMPLES).join("worker-python/bin/words"), programs.join("words")).unwrap();
    fs::copy(binary("fixture_worker"), programs.join("probe")).unwrap();
    let secrets = site.root().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::write(secrets.join("db-url"), "postgres://app:hunter2@127.0.0.1:5432/app\n").unwrap();
    fs::write(file(&site), text).unwrap();
    let gateway = file(&site);
    Host::with_flags(site, &["--gateway", gateway.to_str().unwrap(), "--secrets", secrets.to_str().unwrap()])
}

fn get(host: &Host, domain: &str, path: &str) -> Answer {
    host.client("GET", path).host(domain).send()
}

fn add(host: &Host, title: &str) -> Answer {
    let body = format!(r#"{{"title": "{title}"}}"#);
    host.client("POST", "/items").host("api.example.com").body(body).send()
}

#[test]
fn the_shipped_gateway_file_serves_its_programs() {
    let host = serve(&fs::read_to_string(Path::new(EXAMPLES).join("gateway/edge.yaml")).unwrap());
    assert_eq!(add(&host, "tea").status, 201);
    assert_eq!(get(&host, "api.example.com", "/items/1").text(), r#"{"id":1,"title":"tea"}"#);
    assert_eq!(get(&host, "api.example.com", "/users/1").outcome(), (404, ""), "the program's own 404");
    assert_eq!(host.metric(r#"fezz_worker_starts_total{function="users@v1""#), 1.0);
    assert_eq!(get(&host, "example.com", "/items/1").outcome(), (404, "not_found"));
}

#[test]
fn programs_in_several_languages_are_reached_by_domain_and_have_their_resources() {
    if on_path("python3").is_none() {
        return skip("python3 isn't installed");
    }
    let host = serve(&format!("{ITEMS}{OTHERS}"));
    assert_eq!(add(&host, "tea").text(), r#"{"id":1,"title":"tea"}"#);
    let words = host.client("POST", "/words").host("words.example.com").body("to be or not to be").send();
    assert_eq!(words.status, 200, "{}", words.text());
    assert_eq!(get(&host, "words.example.com", "/words/be").text(), "{\"word\": \"be\", \"count\": 2}\n");
    assert_eq!(get(&host, "words.example.com", "/items").outcome(), (404, "not_found"));
    assert_eq!(host.get("/resource").text(), "postgres://app:hunter2@127.0.0.1:5432/app");
}

#[test]
fn the_file_changes_under_load_without_a_failed_request() {
    const CHANGES: usize = 4;
    let host = serve(ITEMS);
    assert_eq!(get(&host, "api.example.com", "/items").status, 200);
    let stop = AtomicBool::new(false);
    let client = || {
        let (mut connection, mut answers) = (Connection::new(host.address), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            connection.write(b"GET /items HTTP/1.1\r\nhost: api.example.com\r\n\r\n");
            answers.push(connection.read().status);
        }
        answers
    };
    let starts = || host.metric(r#"fezz_worker_starts_total{function="items@v1""#);
    let statuses = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        for change in 0..CHANGES {
            let before = starts();
            let text = ITEMS.replace("    worker", &format!("    env: {{RELEASE: '{change}'}}\n    worker"));
            fs::write(file(&host.site), text).unwrap();
            wait_for("the next release's worker", || (starts() > before).then_some(()));
        }
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(statuses.len() > 100 && statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(starts(), (1 + CHANGES) as f64);
}

#[test]
fn a_broken_edit_is_told_with_line_and_nearest_key_and_the_last_good_version_keeps_its_worker() {
    let host = serve(ITEMS);
    assert_eq!(add(&host, "tea").status, 201);
    fs::write(file(&host.site), ITEMS.replace("routes:", "rotues:")).unwrap();
    host.signal(Signal::HUP);
    let line = host.logged("the mistake", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("not served"))
    });
    let words = "line 8, column 5: function `items`: key `rotues` is unknown: did you mean `routes`?";
    assert!(line["message"].as_str().unwrap().contains(words), "{line}");
    assert_eq!(get(&host, "api.example.com", "/items/1").text(), r#"{"id":1,"title":"tea"}"#);
    assert_eq!(host.metric(r#"fezz_worker_starts_total{function="items@v1""#), 1.0);
}
