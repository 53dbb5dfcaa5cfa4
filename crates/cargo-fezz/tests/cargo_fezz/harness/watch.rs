//! `cargo fezz watch` while it runs.

use super::running::Running;
use super::{Project, build_program};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Starts it on a free port.
pub(crate) fn watch(project: &Project) -> Running {
    watch_with(project, "--listen 127.0.0.1:0")
}

pub(crate) fn watch_with(project: &Project, options: &str) -> Running {
    build_programs();
    let mut command = project.command("");
    command.arg("fezz").arg("watch").args(options.split_whitespace());
    Running::start(command)
}

/// What it starts, beside it.
pub(crate) fn build_programs() {
    build_program("fezz-runner");
    build_program("hhrf");
}

/// The address, from the line that says that the function is served.
pub(crate) fn served(watch: &mut Running) -> String {
    let line = watch.line("Serving ");
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// The hosts that serve the function of a package: their process ids.
pub(crate) fn hosts(package: &str) -> Vec<i32> {
    let root = super::target().join("fezz").join(package);
    let of_process = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_own = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == 0);
        words.next().is_some_and(|program| program.ends_with(b"/hhrf"))
            && words.any(|word| word == root.as_os_str().as_encoded_bytes())
    };
    pids.filter(|pid| is_own(&of_process(*pid))).collect()
}

/// The head and the body of a response.
pub(crate) fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{response}"));
    (head.to_owned(), body.to_owned())
}
