//! Host names: by `/etc/hosts`, and by a name server over TCP, since the jail blocks datagrams.

use super::network::{echo, serve as serve_echo};
use super::{check, check_all};
use crate::harness::{Host, ORDINARY, Site, is_root, skip};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

#[test]
fn localhost_is_found_in_etc_hosts() {
    let host = super::host(json!({"network": {"connect": [443]}}));
    for how in ["name", "name-by-tokio"] {
        let answer = host.get(&format!("/rpc/ordinary/connections/{how}?at=localhost"));
        assert!(answer.text().split(' ').any(|address| address == "127.0.0.1"), "{}", answer.text());
    }
}

#[test]
fn a_name_is_looked_up_by_tcp() {
    let Some(host) = host_with_name_server(&[443]) else { return };
    for how in ["name", "name-by-tokio"] {
        check(&host, &format!("connections/{how}?at=service.example"), "192.0.2.7 192.0.2.8 2001:db8::7");
        check(&host, &format!("connections/{how}?at=four.example"), "192.0.2.7 192.0.2.8");
    }
}

/// No server listens at the first address. Without datagrams, glibc can't sort addresses by reachability (gai.conf(5)),
/// so a client has to try one after the other, as nearly all clients do.
#[test]
fn a_client_tries_each_address_of_a_name() {
    let address = serve_echo(echo);
    let Some(host) = host_with_name_server(&[address.port()]) else { return };
    for how in ["std", "tokio"] {
        let path = format!("connections/{how}?at=here.example:{}", address.port());
        check(&host, &path, "hello through the network");
    }
}

#[test]
fn an_unknown_name_is_an_error_that_can_be_handled() {
    let Some(host) = host_with_name_server(&[443]) else { return };
    check(&host, "connections/no-name?at=no.example", "Uncategorized");
}

#[test]
fn without_a_network_no_name_is_found_and_that_is_an_error_that_can_be_handled() {
    check_all(json!({}), &[("connections/no-name?at=localhost", "Uncategorized")]);
}

/// A host with a function that may look up names and connect to these ports. Its `/etc/resolv.conf` names a server of
/// these tests. `None` where the tests may not listen on the server's port.
fn host_with_name_server(connect: &[u16]) -> Option<Host> {
    static SERVER: OnceLock<Option<Ipv4Addr>> = OnceLock::new();
    let Some(server) = SERVER.get_or_init(serve) else {
        skip("port 53 is closed to this user: be root, or sysctl net.ipv4.ip_unprivileged_port_start=53");
        return None;
    };
    let site = Site::new();
    site.install("ordinary@v1", ORDINARY, json!({"network": {"connect": connect}}));
    std::fs::write(site.root().join("resolv.conf"), format!("nameserver {server}\n")).unwrap();
    let file = site.root().join("resolv.conf");
    Some(Host::with(site, |command| show_as_resolv_conf(&file, command)))
}

/// Runs a command in a mount namespace where a file covers `/etc/resolv.conf`. An ordinary user becomes root of a user
/// namespace for the mount and then gives root up again, or the host would try to become other users.
fn show_as_resolv_conf(file: &Path, command: &mut Command) {
    let (unshare, then) = match is_root() {
        true => ("-m", ""),
        false => ("-Urm", "unshare --map-user=1000 --map-group=1000"),
    };
    let script = format!(r#"mount --bind "$0" /etc/resolv.conf && exec {then} "$@""#);
    let mut outer = Command::new("/usr/bin/env");
    outer.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.args(["unshare", unshare, "sh", "-c", &script]).arg(file);
    outer.arg(command.get_program()).args(command.get_args());
    outer.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    *command = outer;
}

/// Starts the name server at an address that is unique to this run of the tests.
fn serve() -> Option<Ipv4Addr> {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 64 + high, middle, low);
    let server = match TcpListener::bind((address, 53)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
        bound => bound.unwrap(),
    };
    thread::spawn(move || {
        for stream in server.incoming().flatten() {
            thread::spawn(|| answer(stream));
        }
    });
    Some(address)
}

/// Answers the queries on one connection. Each message is preceded by its length (RFC 1035, 4.2.2).
fn answer(mut stream: TcpStream) {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut query = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut query).unwrap();
        let response = respond(&query);
        let length = u16::try_from(response.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length, &response[..]].concat()).unwrap();
    }
}

/// A response to a query of one question, which follows the header of 12 bytes (RFC 1035, 4.1).
fn respond(query: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: usize = 12;
    let name_end = HEADER_BYTES + query[HEADER_BYTES..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[HEADER_BYTES..name_end + 5];
    let record_type = query[name_end + 2];
    let addresses = addresses(&question[1..name_end - HEADER_BYTES], record_type);
    // A response, recursion desired and available; the name exists, or doesn't (3).
    let code = if addresses.is_none() { 0x83 } else { 0x80 };
    let addresses = addresses.unwrap_or_default();
    let count = u8::try_from(addresses.len()).unwrap();
    let mut response = [&query[..2], &[0x81, code, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for address in addresses {
        // The name as in the question, its type and class, a minute to live, the address and its length.
        let length = u8::try_from(address.len()).unwrap();
        response.extend([0xc0, 0x0c, 0, record_type, 0, 1, 0, 0, 0, 60, 0, length]);
        response.extend(address);
    }
    response
}

/// The addresses of a name in wire format without the first length; `None` if the name doesn't exist.
fn addresses(name: &[u8], record_type: u8) -> Option<Vec<Vec<u8>>> {
    const A: u8 = 1;
    const AAAA: u8 = 28;
    let four = || vec![vec![192, 0, 2, 7], vec![192, 0, 2, 8]];
    let six = || Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7).octets().to_vec();
    match (name, record_type) {
        (b"service\x07example" | b"four\x07example", A) => Some(four()),
        (b"here\x07example", A) => Some(vec![Ipv4Addr::LOCALHOST.octets().to_vec()]),
        (b"here\x07example", AAAA) => Some(vec![Ipv6Addr::LOCALHOST.octets().to_vec()]),
        (b"service\x07example", AAAA) => Some(vec![six()]),
        (b"four\x07example", AAAA) => Some(Vec::new()),
        _ => None,
    }
}
