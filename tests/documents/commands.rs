//! Every command of the pages, run in a clean clone as a reader would run it, page by page.
//!
//! A comment right before a block says what else it is: `file: PATH`, a file that the reader writes; `server`, which runs
//! until the page's next; `watch`, the same for `cargo fezz watch`; `output`, what the block before prints; `fixed ports`, run in a network namespace, where all
//! ports are free; `not run: REASON` (`not_run.rs`).
//!
//! Some things aren't as a reader types them. Ports are free ones, since 3000 and 3001 may be taken on a machine that is
//! shared. `/opt/fezz` is what the clone has built, and `/var/tmp` a folder of the test's own. And Cargo may ask no
//! registry: what is needed has been downloaded to build this test.

use super::markdown::{Block, Page};
use super::pages;
use super::watch::Watch;
use crate::clean_clone::{changed, clone_below, shell};
use crate::harness::{Host, Site, envoy_program, is_root, on_path, skip, wait_for};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

/// A reader in a clone of the repository, and what they have running.
struct Reader {
    clone: Site,
    /// The folder that their shell is in.
    current: PathBuf,
    server: Option<Server>,
    printed: String,
}

/// What runs in the reader's other terminal.
enum Server {
    Host(Host),
    Watch(Watch),
}

#[test]
fn every_command_of_the_pages_works_in_a_clean_clone() {
    if on_path("curl").is_none() {
        return skip("curl isn't installed, by which the pages send requests");
    }
    // The guides call the clone `fezz`, and write beside it.
    let folder = Site::new();
    let Some(clone) = clone_below(folder.root()) else { return };
    std::os::unix::fs::symlink(clone.root(), folder.root().join("fezz")).unwrap();
    // Knows the path of the clone that it is compiled in; in the build folder that is shared there may be another one's.
    std::fs::File::open(clone.root().join("crates/fezz-sandbox/src/runner.rs"))
        .and_then(|file| file.set_modified(SystemTime::now()))
        .unwrap();
    std::fs::write(folder.root().join(".curlrc"), "fail-with-body\n").unwrap();
    let mut reader = Reader { clone, current: PathBuf::new(), server: None, printed: String::new() };
    for page in pages() {
        let begun = Instant::now();
        reader.current = reader.folder();
        let blocks = page.blocks();
        for (block, next) in blocks.iter().zip(blocks.iter().skip(1).map(Some).chain([None])) {
            reader.follow(block, next.filter(|next| next.remark.as_deref() == Some("output")));
        }
        reader.stop();
        eprintln!("{}: {} s", page.path, begun.elapsed().as_secs());
        if page.path == "README.md" {
            assert_eq!(changed(&reader.clone), "", "what a new user does first leaves the repository clean");
        }
    }
}

#[test]
fn the_pages_have_commands_that_are_run() {
    let is_run = |block: &Block| block.language == "sh" && block.remark.is_none();
    assert!(pages().iter().flat_map(Page::blocks).filter(is_run).count() > 5);
}

impl Reader {
    /// `output` is what the block is to print.
    fn follow(&mut self, block: &Block, output: Option<&Block>) {
        eprintln!("{}: {}", block.at, block.text);
        let remark = block.remark.as_deref().unwrap_or_default();
        match (block.language.as_str(), remark) {
            (_, remark) if remark.starts_with("not run:") => {}
            (_, remark) if remark.starts_with("file:") => self.write(&remark[5..], &block.text),
            ("sh", "server") => self.serve(&block.text),
            ("sh", "watch") => self.watch(&block.text),
            ("sh", "") => self.run(block, output),
            ("sh", "fixed ports") => self.run_in_network(block),
            ("text", "output") => {
                assert!(self.printed.contains(block.text.trim()), "{}: {}", block.at, self.printed);
            }
            (language, _) => assert!(language != "sh", "{}: the remark `{remark}` is unknown", block.at),
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.current.join(self.here(path.trim()));
        std::fs::write(path, self.here(text)).unwrap();
    }

    /// The clone, under the name that the guides give it.
    fn folder(&self) -> PathBuf {
        self.clone.root().with_file_name("fezz")
    }

    /// A text with this test's folders and addresses instead of a real machine's.
    fn here(&self, text: &str) -> String {
        let folder = self.folder();
        let (programs, temporary) = (folder.join("target/release"), folder.parent().unwrap());
        let text = text.replace("/opt/fezz", programs.to_str().unwrap());
        let text = text.replace("/var/tmp", temporary.to_str().unwrap());
        let (address, admin) = match &self.server {
            None => return text,
            Some(Server::Host(host)) => (host.address, host.admin.unwrap_or(host.address)),
            Some(Server::Watch(watch)) => (watch.address, watch.address),
        };
        text.replace("127.0.0.1:3000", &address.to_string()).replace("127.0.0.1:3001", &admin.to_string())
    }

    fn serve(&mut self, text: &str) {
        self.stop();
        if text.contains("cargo run") {
            // A server's start is waited for by the second, a build isn't.
            assert!(self.command(&text.replace("cargo run", "cargo build")).status().unwrap().success());
        }
        let text = text.replace("127.0.0.1:3000", "127.0.0.1:0").replace("127.0.0.1:3001", "127.0.0.1:0");
        // In the shell's stead, so that its signals reach the host.
        let host = Host::of_command(self.command(&format!("exec env {}", self.here(&text))), Site::new());
        self.server = Some(Server::Host(host));
    }

    fn watch(&mut self, text: &str) {
        self.stop();
        let command = self.command(&format!("exec {} --listen 127.0.0.1:0", text.trim()));
        self.server = Some(Server::Watch(Watch::start(command)));
    }

    fn stop(&mut self) {
        match self.server.take() {
            Some(Server::Host(host)) => drop(host.into_site()),
            Some(Server::Watch(watch)) => watch.stop(),
            None => {}
        }
    }

    fn run(&mut self, block: &Block, expected: Option<&Block>) {
        let only_asks = block.text.lines().all(|line| line.starts_with("curl "));
        let left_at = self.folder().with_file_name(".current");
        let text = format!("set -e\n{}\npwd > {}\n", self.here(&block.text), left_at.display());
        let mut sh = self.command(&text);
        sh.stdout(Stdio::piped());
        let mut last = String::new();
        // What was installed or changed a moment ago is served a moment later: a reader would ask again.
        let mut once = || {
            let output = sh.output().unwrap();
            last = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            // An error's answer may be what the page shows.
            expected.map_or(output.status.success(), |expected| last.contains(expected.text.trim()))
        };
        if only_asks {
            wait_for(&block.text, || once().then_some(()));
        } else {
            assert!(once(), "{}: {last}", block.at);
            self.current = std::fs::read_to_string(left_at).unwrap().trim().into();
        }
        self.printed = last;
    }

    /// Runs a block with Envoy in a network namespace of its own.
    fn run_in_network(&self, block: &Block) {
        let Some(envoy) = envoy_program() else { return };
        if on_path("ip").is_none() {
            return skip("ip isn't installed: apt-get install iproute2");
        }
        // Where `scripts/install-envoy` would install it.
        let installed = envoy.ancestors().nth(4).unwrap();
        std::os::unix::fs::symlink(installed, self.folder().join("target/envoy")).ok();
        // Root of a user namespace has no uids for functions, so there the host runs as an ordinary user.
        let (root, user) = if is_root() {
            ("", "")
        } else {
            ("--map-root-user", "unshare --map-user=1000 --map-group=1000")
        };
        let namespace = format!("unshare {root} --net sh -ec 'ip link set lo up; exec {user} sh -e'");
        let mut sh = self.command(&format!("{namespace} << 'END'\n{}END\n", block.text));
        // The commands have options of their own for the host and for curl.
        for name in ["HHRF_LISTEN", "HHRF_LOG_FORMAT", "CURL_HOME"] {
            sh.env_remove(name);
        }
        let output = sh.stdout(Stdio::piped()).output().unwrap();
        let printed = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}: {}", block.at, String::from_utf8_lossy(&printed));
    }

    fn command(&self, text: &str) -> Command {
        let mut sh = shell(&self.clone, text);
        let folder = self.folder();
        let installed = folder.with_file_name("installed");
        let path = std::env::var("PATH").unwrap_or_default();
        sh.current_dir(&self.current)
            .env("CARGO_NET_OFFLINE", "true")
            // What `cargo install` installs isn't for this machine's user.
            .env("CARGO_INSTALL_ROOT", &installed)
            .env("PATH", format!("{}:{path}", installed.join("bin").display()))
            // Where curl reads that an error's status is to be its own.
            .env("CURL_HOME", folder.parent().unwrap())
            .env("LISTEN", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string());
        sh
    }
}
