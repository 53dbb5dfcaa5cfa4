//! How many connections one address may have, and what is left in the kernel of those that the host has ended.

use crate::harness::{AUTHOR, Host, Site, connect, connect_from, wait_for};
use serde_json::json;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// Who does harm: another client than those who are served.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

fn site() -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({}));
    site
}

/// Connections from one address, each with a byte of a head.
fn connections(from: Ipv4Addr, to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let begin = |_| {
        let mut stream = connect_from(from, to);
        // It may be closed already.
        stream.write_all(b"G").ok();
        stream
    };
    (0..count).map(begin).collect()
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
    wait_for("the places to come back", || {
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
fn an_operator_gets_through_beside_clients_that_have_all_connections() {
    let host = Host::with_flags(site(), &["--connections", "4", "--admin", "127.0.0.1:0"]);
    let _of_one = connections(Ipv4Addr::LOCALHOST, host.address, 4);
    let _of_another = connections(ATTACKER, host.address, 4);
    let ready = crate::harness::Client::new(host.admin.unwrap(), "GET", "/_ready").send();
    assert_eq!(ready.status, 200);
}

#[test]
fn nothing_stays_in_the_kernel_of_a_response_that_its_client_did_not_take() {
    let host = Host::with_flags(site(), &["--min-data-rate", "2000000"]);
    let body = vec![b'x'; 10_000_000];
    let client = host.client("POST", "/rpc/author").body(body).begin();
    let of_client = |line: &str| {
        let port = |address: SocketAddr| format!(":{:04X}", address.port());
        let mut words = line.split_whitespace().skip(1);
        let mut ends_with = |address| words.next().is_some_and(|word| word.ends_with(&port(address)));
        ends_with(host.address) && ends_with(client.local_addr().unwrap())
    };
    let is_there = || std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(of_client);
    assert!(is_there());
    let slow = r#"fezz_ended_for_memory_total{use="responses",reason="slow"}"#;
    wait_for("the end of the response", || (host.metric(slow) == 1.0).then_some(()));
    wait_for("the socket's end", || (!is_there()).then_some(()));
    drop(connect(host.address));
}
