//! Limits of connections per address, and what the kernel keeps of connections that the host has ended.

use crate::harness::{AUTHOR, Client, Host, Site, connect_from, wait_for};
use serde_json::json;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// The address of the attacker. Honest clients use another one.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

fn site() -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    site
}

/// Opens connections from one address, each with one byte of a request head.
fn connections(from: Ipv4Addr, to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let begin = |_| {
        let mut stream = connect_from(from, to);
        // The host may have closed the connection already.
        stream.write_all(b"G").ok();
        stream
    };
    (0..count).map(begin).collect()
}

/// Bytes in the host's send queue for a client; `None` where the host's socket is gone (/proc/net/tcp in proc(5)).
fn unsent_bytes(host: &Host, client: &TcpStream) -> Option<usize> {
    let end = |address: SocketAddr| format!(":{:04X}", address.port());
    let (local, remote) = (end(host.address), end(client.local_addr().unwrap()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut ends = lines.filter(|words| words[1].ends_with(&local) && words[2].ends_with(&remote));
    let (unsent, _) = ends.next()?[4].split_once(':').unwrap();
    Some(usize::from_str_radix(unsent, 16).unwrap())
}

#[test]
fn an_address_has_half_of_the_connections_at_most() {
    const REFUSED: &str = "fezz_connections_refused_total";
    let host = Host::with_flags(site(), &["--connections", "20"]);
    let attackers = connections(ATTACKER, host.address, 30);
    wait_for("refusals", || (host.metric(REFUSED) == 20.0).then_some(()));
    assert_eq!(host.get("/rpc/author").outcome(), (200, ""));
    let line = host.logged("the refusals", |line| line["peer"] == "127.0.0.66");
    assert!(
        line["message"].as_str().unwrap().contains("raise --connections, or set --trust-proxy"),
        "{line}"
    );
    assert_eq!(host.log().iter().filter(|line| line["peer"] == "127.0.0.66").count(), 1);
    drop(attackers);
    wait_for("the connections to be released", || {
        let held = connections(ATTACKER, host.address, 10);
        let before = host.metric(REFUSED);
        drop(held);
        (before == host.metric(REFUSED)).then_some(())
    });
}

#[test]
fn a_trusted_proxy_may_have_all_connections() {
    let host = Host::with_flags(site(), &["--connections", "4", "--trust-proxy"]);
    let _held = connections(Ipv4Addr::LOCALHOST, host.address, 3);
    assert_eq!(host.get("/rpc/author").outcome(), (200, ""));
    assert_eq!(host.metric("fezz_connections_refused_total"), 0.0);
}

#[test]
fn the_admin_listener_answers_while_clients_hold_all_connections() {
    let host = Host::with_flags(site(), &["--connections", "4", "--admin", "127.0.0.1:0"]);
    let _of_one = connections(Ipv4Addr::LOCALHOST, host.address, 4);
    let _of_another = connections(ATTACKER, host.address, 4);
    let ready = Client::new(host.admin.unwrap(), "GET", "/_ready").send();
    assert_eq!(ready.status, 200);
}

#[test]
fn the_kernel_keeps_nothing_of_a_response_that_its_client_did_not_read() {
    let host = Host::with_flags(site(), &["--min-data-rate", "2000000"]);
    let body = vec![b'x'; 10_000_000];
    let client = host.client("POST", "/rpc/author").body(body).begin();
    assert!(unsent_bytes(&host, &client).is_some());
    let slow = r#"fezz_ended_for_memory_total{use="responses",reason="slow"}"#;
    wait_for("the end of the response", || (host.metric(slow) == 1.0).then_some(()));
    wait_for("the socket's end", || unsent_bytes(&host, &client).is_none().then_some(()));
}

#[test]
fn the_kernel_holds_little_of_a_response_that_its_client_does_not_read() {
    const UNSENT_MAX: usize = 1_000_000;
    let host = Host::start(site());
    let client = host.client("POST", "/rpc/author").body(vec![b'x'; 10_000_000]).begin();
    assert_eq!(client.peek(&mut [0]).unwrap(), 1, "the response has begun");
    // The host goes on writing while it serves other clients.
    let look = |_| (host.get("/_health"), unsent_bytes(&host, &client).unwrap()).1;
    let unsent = (0..50).map(look).max().unwrap();
    assert!((1..UNSENT_MAX).contains(&unsent), "{unsent} bytes");
}
