//! The commands that no test runs: each is named here, and its page says why. They are checked as far as that goes.

use super::markdown::{Block, Page, repository};
use super::pages;
use std::process::Command;

/// The page, and the block's first line.
const NOT_RUN: [(&str, &str); 20] = [
    ("README.md", "make test"),
    ("docs/guides/crash.md", "cargo fezz invoke --failure                    # the newest"),
    ("docs/guides/crash.md", "cargo fezz build --debug"),
    (
        "docs/guides/embed.md",
        "cargo run -p example_embedded        # in another terminal: curl http://127.0.0.1:8080/counter",
    ),
    ("docs/guides/gateway.md", "hhrf --gateway edge.yaml --secrets secrets --listen 127.0.0.1:3000"),
    ("docs/cargo-fezz.md", "cargo install --path crates/cargo-fezz"),
    ("docs/cargo-fezz.md", "cargo fezz new greet"),
    ("docs/cargo-fezz.md", "journalctl -o cat -fu hhrf | cargo fezz logs todos"),
    ("docs/operate.md", "make build"),
    (
        "docs/operate.md",
        "systemd-run --pipe --wait -p User=fezz -p NoNewPrivileges=yes -p ProtectSystem=strict -p PrivateTmp=yes \\",
    ),
    ("docs/operate.md", "/opt/fezz/hhrf check-jail"),
    (
        "examples/envoy/README.md",
        "target/release/hhrf --root . --listen 127.0.0.1:3010 --trust-proxy true --drain-wait-ms 3000",
    ),
    ("jail/README.md", "sudo apt-get install bubblewrap"),
    (
        "jail/README.md",
        "apt-get install git autoconf bison flex gcc g++ libtool make pkg-config protobuf-compiler libprotobuf-dev \
         libnl-route-3-dev",
    ),
    ("jail/README.md", "apt-get install firejail"),
    ("jail/README.md", "docker run --publish 3000:3000 --user 1000 IMAGE   # as root: without --user"),
    (
        "jail/README.md",
        "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt \
         systempaths=unconfined ...",
    ),
    ("bench/README.md", "scripts/install-bench-peers     # once: the servers that the host is compared to"),
    (
        "bench/README.md",
        "cargo run --release -p fezz-bench --bin rewind            # four minutes: only what is about `rewind`; writes no files",
    ),
    ("bench/STEPS.md", "make build"),
];

/// Where files of the repository are that commands name.
const FOLDERS: [&str; 4] = ["bench/", "examples/", "jail/", "scripts/"];

#[test]
fn the_commands_that_are_not_run_are_those_of_the_list() {
    let found = blocks();
    let found: Vec<(&str, &str)> = found.iter().map(|block| (page_of(block), first_line(block))).collect();
    assert_eq!(found, NOT_RUN);
}

#[test]
fn a_page_says_why_a_command_is_not_run() {
    for block in blocks() {
        let reason = block.remark.as_deref().and_then(|remark| remark.strip_prefix("not run:"));
        assert!(reason.is_some_and(|reason| reason.trim().len() > 10), "{}: say why it isn't run", block.at);
    }
}

#[test]
fn a_command_that_is_not_run_is_shell_and_names_files_and_targets_that_exist() {
    let makefile = std::fs::read_to_string(repository("Makefile")).unwrap();
    for block in blocks() {
        let syntax = Command::new("sh").args(["-n", "-c", &block.text]).status().unwrap();
        assert!(syntax.success(), "{}", block.at);
        let names_file = |word: &&str| FOLDERS.iter().any(|folder| word.starts_with(folder));
        for file in block.text.split_whitespace().filter(names_file) {
            assert!(repository(file).exists(), "{}: there is no {file}", block.at);
        }
        let targets = block.text.lines().filter_map(|line| line.strip_prefix("make ")?.split(' ').next());
        for target in targets.filter(|target| !target.starts_with('-')) {
            assert!(makefile.contains(&format!("\n{target}:")), "{}: make has no {target}", block.at);
        }
    }
}

/// The hosts of the Envoy guide and its Envoy have fixed ports. `make envoy-demo`, which is run, starts the same.
#[test]
fn the_hosts_of_the_envoy_guide_are_those_of_the_demo() {
    let demo = std::fs::read_to_string(repository("scripts/envoy-demo")).unwrap();
    let blocks = Page::read("examples/envoy/README.md").blocks();
    let lines = blocks.iter().flat_map(|block| block.text.lines());
    let hosts: Vec<&str> = lines.filter(|line| line.starts_with("target/release/hhrf")).collect();
    assert!(hosts.len() == 2 && hosts.iter().all(|host| demo.contains(host)), "{hosts:?}");
}

/// The blocks that aren't run.
fn blocks() -> Vec<Block> {
    let is_not_run =
        |block: &Block| block.remark.as_deref().is_some_and(|remark| remark.starts_with("not run"));
    pages().iter().flat_map(Page::blocks).filter(is_not_run).collect()
}

fn page_of(block: &Block) -> &str {
    block.at.split(", ").next().unwrap()
}

fn first_line(block: &Block) -> &str {
    block.text.lines().next().unwrap_or_default().trim()
}
