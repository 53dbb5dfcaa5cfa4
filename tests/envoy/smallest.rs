//! The smallest configuration: a cluster that names its host, and a host that listens on all addresses. Both run in a
//! new network namespace, where port 8080 is free and the name `hhrf` can be defined.

use crate::harness::{AUTHOR, Site, binary, envoy_program, is_root, skip, wait_for};
use serde_json::json;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const CONFIG: &str = include_str!("smallest.yaml");

/// Runs in a mount and a network namespace of the test, and ends with all its children when `unshare` ends. Envoy is no
/// child of the host, which would kill it as an orphan of a function.
const SCRIPT: &str = r#"
ip link set lo up
mount --bind hosts /etc/hosts
envoy=$1 hhrf=$2
shift 2
"$@" "$hhrf" --root . --listen 0.0.0.0:8080 &
exec "$envoy" --config-path envoy.yaml --disable-hot-restart --concurrency 1 --log-level warning
"#;

/// A process that is killed when it is dropped.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

fn start(site: &Site, envoy: &Path) -> Running {
    let path = site.root().join("log");
    let log = File::create(&path).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    let as_user: &[&str] = if is_root() {
        &[]
    } else {
        // Root of this namespace has no uids for functions, so the host runs as an ordinary user.
        command.arg("--map-root-user");
        &["unshare", "--map-user=1000", "--map-group=1000"]
    };
    command.args(["sh", "-ec", SCRIPT, "sh"]).arg(envoy).arg(binary("hhrf")).args(as_user);
    command.current_dir(site.root()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Running { child: command.spawn().unwrap(), log: path }
}

fn get(socket: &Path, path: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer).filter(|answer| answer.starts_with("HTTP/1.1 200 "))
}

#[test]
fn the_smallest_configuration_reaches_a_host_by_its_name() {
    let Some(envoy) = envoy_program() else { return };
    if Command::new("ip").arg("-V").output().is_err() {
        return skip("ip isn't installed: apt-get install iproute2");
    }
    let site = Site::new();
    let route = json!([{"path": "/env", "method": "GET"}]);
    site.install("author@v1", AUTHOR, json!({"routes": route, "env": {"HOST": "hhrf"}}));
    let socket = site.root().join("socket");
    fs::write(site.root().join("hosts"), "127.0.0.1 localhost\n127.0.0.1 hhrf\n").unwrap();
    fs::write(site.root().join("envoy.yaml"), CONFIG.replace("SOCKET", socket.to_str().unwrap())).unwrap();
    let _running = start(&site, &envoy);
    let answer = wait_for("an answer through Envoy", || get(&socket, "/env"));
    assert!(answer.contains("HOST=hhrf"), "{answer}");
}
