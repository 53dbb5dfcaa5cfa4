//! Resources: a URL for the function, and its port through the jail.

use crate::harness::{AUTHOR, Host, Site};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn host(resources: Value, execution: &str, secret: Option<&str>) -> Host {
    let site = Site::new();
    let folder = site.root().join("secrets");
    fs::create_dir(&folder).unwrap();
    secret.iter().for_each(|secret| fs::write(folder.join("url"), secret).unwrap());
    site.install("author@v1", AUTHOR, json!({"resources": resources, "execution": execution}));
    Host::with_flags(site, &["--secrets", folder.to_str().unwrap(), "--allow-in-process"])
}

#[test]
fn a_function_has_the_url_of_its_resource_under_each_executor() {
    for execution in ["spawn", "fork", "in-process"] {
        let host = host(
            json!({"redis": "redis://cache", "db": "secret:url"}),
            execution,
            Some("postgres://u:p@db/x\n"),
        );
        assert_eq!(host.get("/rpc/author/resource?at=redis").text(), "redis://cache", "{execution}");
        assert_eq!(host.get("/rpc/author/resource?at=db").text(), "postgres://u:p@db/x", "{execution}");
        assert_eq!(host.get("/rpc/author/variable?at=FEZZ_RESOURCE_DB").text(), "postgres://u:p@db/x");
    }
}

#[test]
fn the_port_of_a_resource_is_reached_and_no_other() {
    for execution in ["spawn", "fork"] {
        let [own, secret, other] = [listen(), listen(), listen()];
        let url = |listener: &TcpListener| format!("redis://{}", listener.local_addr().unwrap());
        let host = host(json!({"one": url(&own), "two": "secret:url"}), execution, Some(&url(&secret)));
        let connect = |listener: &TcpListener| {
            host.get(&format!("/rpc/author/connect?at={}", listener.local_addr().unwrap()))
        };
        assert_eq!([connect(&own).text(), connect(&secret).text()], ["connected"; 2], "{execution}");
        // EACCES is Landlock's; a server listens there.
        assert_eq!(connect(&other).outcome(), (500, "function_error"), "{execution}");
        host.logged("the cause", |line| line.to_string().contains("(os error 13)"));
    }
}

#[test]
fn a_missing_resource_is_an_error_that_says_where_to_write_it() {
    let host = host(json!({}), "spawn", None);
    assert_eq!(host.get("/rpc/author/resource?at=redis").status, 500);
    host.logged("the fix", |line| line.to_string().contains("write it into `resources` of fezz.json"));
}
