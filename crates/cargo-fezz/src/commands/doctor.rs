//! `cargo fezz doctor`.

use crate::exit::Exit;
use crate::report::{self, Finding, Verdict, finding};
use crate::terminal::{self, Format};
use clap::Args;
use fezz_sandbox::runner;
use fezz_wire::TrialAnswer;
use serde::Serialize;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Check what works on this machine: the programs, the jail for each executor, the network of functions
///
/// The real runner makes each jail and tests it. Exit status 3 if functions can't be confined as a host does by default.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The program fezz-runner; else the one beside this program, or on PATH.
    #[arg(long, value_name = "FILE")]
    runner: Option<PathBuf>,
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The findings can't be printed.
#[derive(Debug, thiserror::Error)]
#[error("failed to print the findings")]
pub(crate) struct DoctorError(#[from] serde_json::Error);

/// What a script reads.
#[derive(Debug, Serialize)]
struct Report<'a> {
    verdict: Verdict,
    findings: &'a [Finding],
}

/// What is tried: the check's name, the runner's options, how bad a failure is, and what it means.
const TRIALS: [(&str, &[&str], Verdict, &str); 3] = [
    ("spawn", &["--jail", "strict"], Verdict::Error, "functions can't be confined"),
    (
        "fork",
        &["--jail", "strict", "--zygote", "1"],
        Verdict::Warning,
        "functions whose `execution` is `fork` can't be confined",
    ),
    (
        "network",
        &["--jail", "strict", "--connect", "443"],
        Verdict::Warning,
        "functions with a `network` can't be confined",
    ),
];

/// What the runner must repeat, so that the answer is its own.
const TOKEN: &str = "doctor";

impl Doctor {
    pub(crate) fn run(&self) -> Result<Exit, DoctorError> {
        let mut findings = vec![compiler(), host()];
        match runner::find(self.runner.as_deref()) {
            Ok(program) => findings.extend(with_runner(&program)),
            Err(error) => findings.push(finding("runner", Verdict::Error, error.to_string(), None)),
        }
        let verdict = report::worst(&findings);
        match self.format {
            Format::Json => terminal::json(&Report { verdict, findings: &findings })?,
            Format::Human => report::print(&findings),
        }
        Ok(if verdict == Verdict::Error { Exit::Faulty } else { Exit::Done })
    }
}

fn compiler() -> Finding {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    match Command::new(cargo).arg("--version").output() {
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            finding("cargo", Verdict::Ok, version, None)
        }
        Err(error) => {
            let fix = Some("install Rust by https://rustup.rs".to_owned());
            finding("cargo", Verdict::Error, format!("cargo can't be run: {error}"), fix)
        }
    }
}

fn host() -> Finding {
    match runner::find_program("hhrf") {
        Some(program) => finding("host", Verdict::Ok, program.display().to_string(), None),
        None => {
            let fix = "run `cargo install --path crates/hhrf` in a clone of Fezz";
            let message =
                "hhrf isn't beside this program, nor on PATH: `invoke` works, serving doesn't".to_owned();
            finding("host", Verdict::Warning, message, Some(fix.to_owned()))
        }
    }
}

fn with_runner(program: &Path) -> Vec<Finding> {
    let mut findings = vec![finding("runner", Verdict::Ok, program.display().to_string(), None)];
    for (check, options, verdict, meaning) in TRIALS {
        findings.push(match try_out(program, options) {
            Ok(()) => finding(check, Verdict::Ok, "the jail holds what was tried inside".to_owned(), None),
            Err(reason) => {
                let fix = "look the message up in jail/README.md, section \"When the jail cannot be made\"";
                finding(check, verdict, format!("{meaning}: {reason}"), Some(fix.to_owned()))
            }
        });
    }
    findings
}

/// Has the runner confine itself and test its jail. The error is the runner's own text.
fn try_out(program: &Path, options: &[&str]) -> Result<(), String> {
    let output = answer_of(program, options).map_err(|error| format!("the runner can't be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match TrialAnswer::decode(&text) {
        Some(answer) if answer.token != TOKEN => Err("the runner doesn't get its stdin".to_owned()),
        Some(answer) if answer.version != env!("CARGO_PKG_VERSION") => {
            Err(format!("the runner is version {}, cargo-fezz {}", answer.version, env!("CARGO_PKG_VERSION")))
        }
        Some(_) => Ok(()),
        None => Err(format!("{} ({})", String::from_utf8_lossy(&output.stderr).trim(), output.status)),
    }
}

fn answer_of(program: &Path, options: &[&str]) -> io::Result<std::process::Output> {
    // The jail holds a module; any file will do.
    let module = program.canonicalize()?;
    let mut command = Command::new(program);
    command.env_clear().args(options).args(["--threads", "64", "--timeout-ms", "10000", "--try"]).arg(module);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A runner that fails before it reads says why.
        stdin.write_all(TOKEN.as_bytes()).ok();
    }
    child.wait_with_output()
}
