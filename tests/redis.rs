//! A module in the host's own process keeps its connection to a real Redis.

use crate::harness::{Host, Site, on_path, skip, wait_for};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A server of its own, ended when it is dropped.
struct Redis {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    /// `None` where it isn't installed, which is told.
    fn start() -> Option<Self> {
        if on_path("redis-server").is_none() {
            skip("redis-server isn't installed");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // By its name, not by the path of what it links to: the program looks at how it was called.
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("redis", || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(Self { process, port, _folder: folder })
    }

    /// A number that the server reports (the command INFO).
    fn info(&self, name: &str) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(b"INFO\r\nQUIT\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().parse().unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn a_client_in_a_static_keeps_its_connection_between_requests() {
    let Some(redis) = Redis::start() else { return };
    let site = Site::new();
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let more = json!({"execution": "in-process", "env": {"REDIS_URL": url}});
    site.install("visits@v1", "libfixture_redis.so", more);
    let host = Host::with_flags(site, &["--allow-in-process=visits"]);
    let before = redis.info("total_connections_received");
    for expected in 1..=100 {
        assert_eq!(host.get("/rpc/visits").text(), expected.to_string());
    }
    // One of the function, and that of this look.
    assert_eq!(redis.info("total_connections_received") - before, 2);
}
