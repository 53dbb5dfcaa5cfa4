//! The real Envoy, started for one test in front of its hosts, with the shipped configuration.

use super::{Answer, Client, Host, binary, skip, wait_for};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/envoy/envoy.yaml");

/// The lines of the shipped configuration that name the two hosts, up to the port.
const ENDPOINT: &str =
    "              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ";

/// A running Envoy. Dropped, it is killed.
pub(crate) struct Envoy {
    child: Child,
    folder: TempDir,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

impl Envoy {
    /// Envoy in front of `hosts`, with the shipped configuration; `None` where Envoy isn't installed.
    pub(crate) fn before(hosts: &[&Host]) -> Option<Self> {
        Self::changed(hosts, &[])
    }

    /// The same with replacements in the configuration's text; each replaced text must exist.
    pub(crate) fn changed(hosts: &[&Host], changes: &[(&str, &str)]) -> Option<Self> {
        let program = envoy_program()?;
        let folder = tempfile::Builder::new().prefix("fezz-envoy-").tempdir().unwrap();
        let config = folder.path().join("envoy.yaml");
        fs::write(&config, configuration(hosts, changes)).unwrap();
        let child = start(&program, &config, folder.path());
        let admin = wait_for("Envoy's admin address", || {
            fs::read_to_string(folder.path().join("admin")).ok()?.parse::<SocketAddr>().ok()
        });
        // Envoy listens after its first health checks.
        let address = wait_for("Envoy's listener", || {
            let is_live = Client::new(admin, "GET", "/ready").send().text().contains("LIVE");
            let listeners = Client::new(admin, "GET", "/listeners").send().text();
            let address = listeners.split_once("fezz::")?.1.lines().next()?.trim().parse().ok()?;
            is_live.then_some(address)
        });
        Some(Self { child, folder, address, admin })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.client("GET", path).send()
    }

    pub(crate) fn client<'a>(&self, method: &'a str, path: &'a str) -> Client<'a> {
        Client::new(self.address, method, path)
    }

    /// A counter or gauge of the hosts' cluster.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let path = format!("/stats?filter=^cluster.hhrf.{name}$");
        let text = Client::new(self.admin, "GET", &path).send().text();
        let line = text.lines().find(|line| line.starts_with("cluster.hhrf."));
        let line = line.unwrap_or_else(|| panic!("Envoy has no {name}: {text}"));
        line.rsplit(' ').next().unwrap().trim().parse().unwrap()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("envoy: {log}");
        }
    }
}

/// The Envoy that `scripts/install-envoy` installed, else the one on PATH; a skip where there is none.
pub(crate) fn envoy_program() -> Option<PathBuf> {
    let target = binary("hhrf").parent().unwrap().parent().unwrap().to_owned();
    let installed = fs::read_dir(target.join("envoy")).into_iter().flatten().flatten();
    let mut installed = installed.map(|version| version.path().join("envoy/_bin/envoy"));
    let found = installed.find(|path| path.is_file()).or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join("envoy")).find(|path| path.is_file())
    });
    if found.is_none() {
        skip("Envoy isn't installed: scripts/install-envoy");
    }
    found
}

/// The shipped configuration, in front of these hosts, on ports of the kernel's choice.
fn configuration(hosts: &[&Host], changes: &[(&str, &str)]) -> String {
    let mut config = fs::read_to_string(CONFIG).unwrap();
    let mut replace = |from: &str, to: &str| {
        assert!(config.contains(from), "examples/envoy/envoy.yaml has no `{from}`");
        config = config.replace(from, to);
    };
    replace("port_value: 9901", "port_value: 0");
    replace("port_value: 8080", "port_value: 0");
    for (index, port) in ["3010", "3020"].into_iter().enumerate() {
        let line = format!("{ENDPOINT}{port} }} }} }}\n");
        let own = hosts.get(index).map(|host| line.replace(port, &host.address.port().to_string()));
        replace(&line, &own.unwrap_or_default());
    }
    changes.iter().for_each(|(from, to)| replace(from, to));
    config
}

fn start(program: &Path, config: &Path, folder: &Path) -> Child {
    let log = fs::File::create(folder.join("log")).unwrap();
    Command::new(program)
        .arg("--config-path")
        .arg(config)
        .arg("--admin-address-path")
        .arg(folder.join("admin"))
        // No shared memory, in which Envoys of other tests would conflict; one thread for requests.
        .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
