//! Memory that clients and functions make the host hold: it is charged before it is allocated, and no single client or
//! function can use all of it.

use crate::harness::{
    AUTHOR, Client, HARMFUL, Host, Http2, Site, StreamOutcome, alone, connect, connect_from, resident_kib,
    wait_for,
};
use serde_json::json;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};

/// The address of the attacker. Honest clients use another one.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

fn author() -> Site {
    let site = Site::new();
    site.install("author@v1", AUTHOR, json!({"limits": {"concurrency": 256, "queue": 4096}}));
    site
}

/// Sends an honest client's requests, from another address.
fn assert_served(host: &Host) {
    for bytes in [0, 1000, 30_000] {
        let answer = host.client("POST", "/rpc/author").body(vec![b'x'; bytes]).send();
        assert_eq!((answer.outcome(), answer.body.len()), ((200, ""), bytes), "{}", answer.text());
    }
}

/// How the streams of a connection ended, once all have.
fn ends(connection: &mut Http2, streams: usize) -> Vec<StreamOutcome> {
    (0..streams).map(|_| connection.next_end()).collect()
}

#[test]
fn a_request_of_more_headers_than_the_limit_is_refused() {
    let host = Host::start(author());
    let with = |headers: usize| {
        let client = host.client("GET", "/rpc/author");
        // In addition to `host` and `connection`.
        (2..headers).fold(client, |client, _| client.header("a", "b")).send()
    };
    assert_eq!(with(100).outcome(), (200, ""));
    let refused = with(101);
    assert_eq!(refused.outcome(), (431, "headers_too_large"));
    assert!(refused.text().contains("101 headers, the limit is 100"), "{}", refused.text());
}

#[test]
fn heads_of_many_small_headers_take_little_memory() {
    const GROWTH_KIB_MAX: usize = 96 * 1024;
    let _machine = alone();
    let host = Host::without_machine(author(), |_| {});
    assert_served(&host);
    let before_kib = resident_kib(&host);
    let mut connections: Vec<_> = (0..40).map(|_| Http2::from(ATTACKER, host.address, 65_535)).collect();
    for connection in &mut connections {
        for _ in 0..125 {
            connection.begin("POST", "/rpc/author", 1000);
        }
    }
    for connection in &mut connections {
        assert_eq!(ends(connection, 125).len(), 125);
    }
    let growth_kib = resident_kib(&host).saturating_sub(before_kib);
    assert!(growth_kib < GROWTH_KIB_MAX, "the host has grown by {growth_kib} KiB");
    assert_served(&host);
}

#[test]
fn heads_that_wait_for_their_bodies_are_charged() {
    let host = Host::start(author());
    let mut connection = Http2::from(ATTACKER, host.address, 65_535);
    for _ in 0..100 {
        connection.begin("POST", "/rpc/author", 50);
    }
    let taken = r#"fezz_memory_bytes{use="small requests"}"#;
    wait_for("the heads to be charged", || (host.metric(taken) > 100.0 * 50.0 * 128.0).then_some(()));
    drop(connection);
    wait_for("the memory to be released", || (host.metric(taken) == 0.0).then_some(()));
}

#[test]
fn clients_that_do_not_read_do_not_keep_others_from_their_responses() {
    let flags = ["--response-memory-bytes", "4000000", "--min-data-rate", "100000"];
    let host = Host::with_flags(author(), &flags);
    let mut connections: Vec<_> = (0..5).map(|_| Http2::from(ATTACKER, host.address, 0)).collect();
    for connection in &mut connections {
        for _ in 0..80 {
            let stream = connection.begin("POST", "/rpc/author", 0);
            connection.end(stream, &[b'x'; 12_000]);
        }
    }
    let taken = r#"fezz_memory_bytes{use="small responses"}"#;
    wait_for("the memory to be charged", || (host.metric(taken) > 500_000.0).then_some(()));
    for _ in 0..5 {
        assert_served(&host);
    }
    // The host doesn't wait for them without a limit.
    let ended: Vec<StreamOutcome> =
        connections.iter_mut().flat_map(|connection| ends(connection, 80)).collect();
    // Streams that were refused for lack of memory had no body left to send, and so ended normally.
    assert!(ended.contains(&StreamOutcome::ByReset));
    wait_for("the memory to be released", || (host.metric(taken) < 1000.0).then_some(()));
}

#[test]
fn incomplete_bodies_do_not_keep_other_bodies_out() {
    let flags = ["--body-memory-bytes", "4000000", "--min-data-rate", "100000"];
    let host = Host::with_flags(author(), &flags);
    let mut connections: Vec<_> = (0..4).map(|_| Http2::from(ATTACKER, host.address, 65_535)).collect();
    for connection in &mut connections {
        for _ in 0..100 {
            let stream = connection.begin("POST", "/rpc/author", 0);
            connection.data(stream, &[b'x'; 600]);
        }
    }
    let taken = r#"fezz_memory_bytes{use="small requests"}"#;
    wait_for("the memory to be charged", || (host.metric(taken) > 1_500_000.0).then_some(()));
    for _ in 0..5 {
        assert_served(&host);
    }
    for connection in &mut connections {
        assert_eq!(ends(connection, 100).len(), 100);
    }
    wait_for("the memory to be released", || (host.metric(taken) == 0.0).then_some(()));
}

#[test]
fn a_body_below_the_data_rate_is_refused() {
    let host = Host::with_flags(author(), &["--min-data-rate", "1000"]);
    let mut slow = connect(host.address);
    slow.write_all(b"POST /rpc/author HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx").unwrap();
    let answer = crate::harness::Answer::read(slow, std::time::Instant::now());
    assert_eq!(answer.outcome(), (408, "body_timeout"));
    assert!(answer.text().contains("1000 bytes per second"), "{}", answer.text());
    assert!((5..9).contains(&answer.took.as_secs()), "{:?}", answer.took);
}

#[test]
fn a_response_that_is_still_arriving_is_charged() {
    const GROWTH_KIB_MAX: usize = 40 * 1024;
    let _machine = alone();
    let site = author();
    let limits = json!({"concurrency": 20, "queue": 0, "response_body_bytes": 10_000_000});
    let more =
        json!({"env": {"HARM": "answers_all_but_the_last_byte"}, "limits": limits, "timeout_ms": 20_000});
    site.install("withholds@v1", HARMFUL, more);
    let host = Host::without_machine(site, |command| {
        command.args(["--response-memory-bytes", "32000000"]);
    });
    assert_served(&host);
    let before_kib = resident_kib(&host);
    let address = host.address;
    let withholding = move || Client::new(address, "GET", "/rpc/withholds").send();
    let requests: Vec<_> = (0..12).map(|_| std::thread::spawn(withholding)).collect();
    let taken = r#"fezz_memory_bytes{use="responses"}"#;
    wait_for("a response to be charged", || (host.metric(taken) >= 10_000_000.0).then_some(()));
    for _ in 0..5 {
        assert_served(&host);
        let growth_kib = resident_kib(&host).saturating_sub(before_kib);
        assert!(growth_kib < GROWTH_KIB_MAX, "the host has grown by {growth_kib} KiB");
    }
    drop(host);
    requests.into_iter().for_each(|request| drop(request.join()));
}

/// 24 incomplete uploads in 1 MiB, each 1000 bytes short. No client and no function holds more than half of the memory.
fn nearly_full() -> (Host, Vec<TcpStream>) {
    let site = author();
    site.install("other@v1", AUTHOR, json!({}));
    let host = Host::with_flags(site, &["--body-memory-bytes", "1048576"]);
    assert_eq!(host.get("/_ready").status, 200);
    let upload = |client: u8| {
        let mut slow = connect_from(Ipv4Addr::new(127, 0, 1, client), host.address);
        let function = ["author", "other"][usize::from(client % 2)];
        write!(slow, "POST /rpc/{function} HTTP/1.1\r\nhost: a\r\ncontent-length: 50000\r\n\r\n").unwrap();
        slow.write_all(&[b'x'; 49_000]).unwrap();
        slow
    };
    let uploads = (0..24).map(upload).collect();
    (host, uploads)
}

#[test]
fn readiness_and_metrics_report_nearly_full_memory() {
    let (host, mut uploads) = nearly_full();
    let not_ready = wait_for("not ready", || {
        uploads.iter_mut().for_each(|upload| upload.write_all(b"x").unwrap());
        Some(host.get("/_ready")).filter(|ready| ready.status == 503)
    });
    assert_eq!(not_ready.text(), "memory for requests is over 90 % full\n");
    assert_eq!(host.get("/_health").status, 200);
    assert_eq!(host.metric(r#"fezz_memory_max_bytes{use="requests"}"#), 1_048_576.0);
}

#[test]
fn clients_that_stall_do_not_take_the_host_out_of_service() {
    let (host, _stalled) = nearly_full();
    let taken = || host.metric(r#"fezz_memory_bytes{use="small requests"}"#);
    wait_for("the memory to be charged", || (taken() > 0.9 * 1_048_576.0).then_some(()));
    wait_for("readiness", || (host.get("/_ready").status == 200).then_some(()));
    assert!(taken() > 0.9 * 1_048_576.0);
    assert_served(&host);
}
