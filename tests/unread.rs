//! Memory that the host holds for clients that don't read, or that send data which it no longer expects.

use crate::harness::{
    AUTHOR, Answer, Connection, Host, Http2, Site, alone, connect_from, resident_kib, wait_for,
};
use serde_json::json;
use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Instant;

/// The address of the attacker. Honest clients use another one.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

fn host() -> Host {
    let site = Site::new();
    let limits = json!({"concurrency": 32, "queue": 1000});
    site.install("author@v1", AUTHOR, json!({"execution": "fork", "limits": limits}));
    Host::start(site)
}

fn served(host: &Host) -> f64 {
    host.metric(r#"fezz_requests_total{function="author@v1",status="204",kind=""}"#)
}

fn response_bytes(host: &Host) -> f64 {
    let of = |name: &str| host.metric(&format!("fezz_memory_bytes{{use=\"{name}\"}}"));
    of("responses") + of("small responses")
}

#[test]
fn an_http_1_client_that_does_not_read_has_no_further_requests_served() {
    // As many responses of 12 KB as the kernel's buffers take, and some more.
    const SERVED_MAX: f64 = 200.0;
    let host = host();
    let mut unread = connect_from(ATTACKER, host.address);
    for _ in 0..400 {
        unread.write_all(b"GET /rpc/author/large-head?bytes=12000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert!(response_bytes(&host) < 200_000.0);
    }
    let served = served(&host);
    assert!((1.0..SERVED_MAX).contains(&served), "{served} requests were served");
}

#[test]
fn heads_without_a_body_are_charged_while_their_client_does_not_read() {
    let host = host();
    let mut unread: Vec<_> = (0..2).map(|_| Http2::from(ATTACKER, host.address, 65_535)).collect();
    for connection in &mut unread {
        for _ in 0..128 {
            let stream = connection.begin("GET", "/rpc/author/large-head", 0);
            connection.end(stream, &[]);
        }
    }
    wait_for("all to be served", || (served(&host) == 256.0).then_some(()));
    // The kernel buffers some megabytes of the 15.
    wait_for("only heads to be charged", || {
        (1_000_000.0..256.0 * 72_000.0).contains(&response_bytes(&host)).then_some(())
    });
    drop(unread);
    wait_for("the memory to be released", || (response_bytes(&host) == 0.0).then_some(()));
}

#[test]
fn trailers_of_requests_that_have_their_answers_are_not_kept() {
    const GROWTH_KIB_MAX: usize = 16 * 1024;
    let _machine = alone();
    let host = Host::without_machine(Site::new(), |command| {
        command.args(["--min-data-rate", "0"]);
    });
    assert_eq!(host.get("/nothing").status, 404);
    let before_kib = resident_kib(&host);
    // Without a window, the host can't send the answers.
    let mut connections: Vec<_> = (0..4).map(|_| Http2::from(ATTACKER, host.address, 0)).collect();
    for connection in &mut connections {
        let streams: Vec<_> = (0..120).map(|_| connection.begin("POST", "/nothing", 0)).collect();
        streams.iter().for_each(|_| connection.wait_for_head());
        streams.into_iter().for_each(|stream| connection.trailers(stream, 1900));
        // A request after the trailers: its answer shows that the host has read them.
        let last = connection.begin("GET", "/_health", 0);
        connection.end(last, &[]);
        connection.wait_for_head();
    }
    wait_for("the trailers' memory to be freed", || {
        (resident_kib(&host) < before_kib + GROWTH_KIB_MAX).then_some(())
    });
    assert!(response_bytes(&host) > 480.0 * 8192.0, "the answers still wait");
}

#[test]
fn a_large_response_head_ends_its_http_1_connection() {
    let host = host();
    let close = |path: &str| {
        let mut connection = Connection::new(host.address);
        connection.write(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        let answer = Answer::read(connection.into_stream(), Instant::now());
        answer.header("connection").map(str::to_owned)
    };
    assert_eq!(close("/rpc/author/large-head").as_deref(), Some("close"));
}
