//! The real program, asked by curl.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

struct Program {
    process: Child,
    lines: Box<dyn Iterator<Item = String>>,
    url: String,
}

impl Program {
    fn start() -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_example_embedded"));
        let mut process = program.arg("0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("counter is loaded"));
        let url = lines.next().unwrap().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, lines: Box::new(lines), url }
    }

    fn curl(&self, path: &str, more: &[&str]) -> String {
        let curl = Command::new("curl")
            .args(["-sS", "--max-time", "20"])
            .args(more)
            .arg(self.url.clone() + path)
            .output();
        String::from_utf8(curl.expect("curl is installed").stdout).unwrap()
    }

    /// Ends it by SIGTERM; whether it succeeded, and what it printed last.
    fn end(mut self) -> (bool, Option<String>) {
        let process = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        let last = self.lines.next();
        (self.process.wait().unwrap().success(), last)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Where an assertion failed before.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn the_program_greets_echoes_counts_and_ends_in_order() {
    let program = Program::start();
    assert_eq!(program.curl("/hello", &["-H", "X-Name: Ada"]), "Hello, Ada!\n");
    assert_eq!(program.curl("/echo", &["-d", "text"]), "text");
    assert_eq!([program.curl("/counter", &[]), program.curl("/counter", &[])], ["1\n", "2\n"]);
    assert_eq!(program.curl("/_health", &[]), "OK\n");
    assert!(
        program
            .curl("/_metrics", &[])
            .contains("fezz_requests_total{function=\"counter@v1\",status=\"200\",kind=\"\"} 2")
    );
    assert_eq!(program.end(), (true, Some("counted 2 requests".to_owned())));
}
