//! The trial: before the host serves, the runner must show that it can confine itself. The program may be a wrapper,
//! which may do anything. So only a confined runner of this version can answer correctly: with a token that it gets by
//! stdin alone.

use crate::children::Children;
use crate::jail::JailMode;
use fezz_wire::{ExitCode, TrialAnswer};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The trial failed.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// It can't be started.
    #[error(
        "failed to start the runner `{}`: is it a program for this machine, or a script whose first line names one?",
        runner.display()
    )]
    NotStarted {
        /// As the settings name it.
        runner: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The host can't read from it or wait for it.
    #[error("failed to talk to the runner that tries the jail")]
    Io(#[source] io::Error),
    /// The runner reports why it can't.
    #[error("modules can't be confined here (--jail {jail}): {output}{}", advice(.jail, .runner))]
    Refused {
        /// What was asked for.
        jail: &'static str,
        /// The runner or its wrapper.
        runner: PathBuf,
        /// Its own output, or its exit status.
        output: String,
    },
    /// The wrapper ended by itself: the status isn't one of the runner's.
    #[error(
        "modules can't be confined here (--jail {jail}): `{}` ended ({status}) before fezz-runner answered: {output}{}",
        runner.display(), advice(.jail, .runner)
    )]
    Wrapper {
        /// What was asked for.
        jail: &'static str,
        /// The wrapper.
        runner: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        output: String,
    },
    /// It ended successfully, but is no runner.
    #[error(
        "`{}` ended without an answer of fezz-runner: name fezz-runner itself, or a wrapper that ends in `exec fezz-runner \
         \"$@\"` and passes stdout on",
        runner.display()
    )]
    NoAnswer {
        /// What was named.
        runner: PathBuf,
    },
    /// A wrapper writes where responses go.
    #[error(
        "`{}` wrote to stdout beside the runner's answer, where only responses belong: let it write to stderr",
        runner.display()
    )]
    Mixed {
        /// The wrapper.
        runner: PathBuf,
    },
    /// The runner has another version.
    #[error("the runner behind `{}` is version {theirs}, this host {}: install the same version of both", runner.display(), VERSION)]
    OtherVersion {
        /// The runner or its wrapper.
        runner: PathBuf,
        /// What the runner reports.
        theirs: String,
    },
    /// A wrapper changes arguments.
    #[error(
        "the runner behind `{}` is confined by `--jail {theirs}` instead of `--jail {jail}`: let the wrapper pass on every \
         argument as it is (\"$@\")",
        runner.display()
    )]
    OtherJail {
        /// The wrapper.
        runner: PathBuf,
        /// What was asked for.
        jail: &'static str,
        /// What the runner reports.
        theirs: String,
    },
    /// A wrapper doesn't pass stdin on.
    #[error("`{}` doesn't pass stdin on, which carries requests: let the wrapper leave it as it is", runner.display())]
    NoStdin {
        /// The wrapper.
        runner: PathBuf,
    },
    /// It neither answers nor ends.
    #[error("the runner didn't answer within {} s while it tried the jail: does a wrapper wait for something?", TRIAL_TIMEOUT.as_secs())]
    Silent,
    /// The network namespace that it made is the host's own.
    #[error(
        "the runner's empty network isn't its own: let the wrapper end in `exec fezz-runner \"$@\"`, or set --jail inner"
    )]
    NotItsOwn,
}

/// What the runner's version has to be.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A jail takes milliseconds; this allows for a very busy machine.
pub(super) const TRIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The trial's manifest variable: a wrapper must pass it on.
const VARIABLE: &str = "TRIAL";

/// Advice that the runner can't give, since it doesn't see the wrapper.
fn advice(jail: &str, runner: &Path) -> String {
    match runner.file_name() {
        Some(name) if jail == JailMode::Strict.as_str() && crate::settings::is_wrapper(runner) => {
            format!("; `{}` is taken for a wrapper, which needs --jail inner", name.display())
        }
        _ => String::new(),
    }
}

/// A trial of one runner and mode.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    pub(super) runner: &'a Path,
    pub(super) jail: JailMode,
    /// Lists the process while it lives, so that it can be killed with the host.
    pub(super) children: &'a Children,
}

impl Trial<'_> {
    /// Runs `command`, which has the jail's arguments, to see whether that jail can be made.
    ///
    /// # Errors
    ///
    /// See [`TrialError`].
    pub(super) fn run(&self, mut command: Command) -> Result<(), TrialError> {
        let token = format!("{:016x}", rand::random::<u64>());
        command.args(["--env", VARIABLE]).env_clear().env(format!("FEZZ_ENV_{VARIABLE}"), &token);
        // Any existing file will do as the module.
        command.arg("--try").arg(self.runner);
        let mut runner = self.start(&mut command)?;
        if let Some(mut stdin) = runner.stdin.take() {
            // A program that doesn't read it fails the check of its answer.
            stdin.write_all(token.as_bytes()).ok();
        }
        let ended = self.end_of(runner, TRIAL_TIMEOUT)?;
        if !ended.status.success() {
            return Err(self.failed(ended));
        }
        self.check_answer(&ended.answer, &token)
    }

    /// Starts the runner in a process group of its own, with pipes for its standard streams.
    pub(super) fn start(&self, command: &mut Command) -> Result<Child, TrialError> {
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.children
            .start(command)
            .map_err(|source| TrialError::NotStarted { runner: self.runner.to_owned(), source })
    }

    fn check_answer(&self, text: &str, token: &str) -> Result<(), TrialError> {
        let runner = || self.runner.to_owned();
        let Some(answer) = TrialAnswer::decode(text) else {
            let is_there = text.split_inclusive('\n').any(|line| TrialAnswer::decode(line).is_some());
            return Err(match is_there {
                true => TrialError::Mixed { runner: runner() },
                false => TrialError::NoAnswer { runner: runner() },
            });
        };
        if answer.version != VERSION {
            return Err(TrialError::OtherVersion { runner: runner(), theirs: answer.version.to_owned() });
        }
        let jail = self.jail.as_str();
        if answer.jail != jail {
            return Err(TrialError::OtherJail { runner: runner(), jail, theirs: answer.jail.to_owned() });
        }
        if answer.token != token {
            return Err(TrialError::NoStdin { runner: runner() });
        }
        Ok(())
    }

    /// Decides between the runner and the wrapper by the exit code: the runner has its own.
    pub(super) fn failed(&self, ended: RunnerEnd) -> TrialError {
        let RunnerEnd { status, output, .. } = ended;
        let (jail, runner) = (self.jail.as_str(), self.runner.to_owned());
        if status.code().and_then(ExitCode::from_status).is_some() {
            let output = if output.is_empty() { status.to_string() } else { output };
            return TrialError::Refused { jail, runner, output };
        }
        let output = if output.is_empty() { "it wrote nothing to stderr".to_owned() } else { output };
        TrialError::Wrapper { jail, runner, status, output }
    }

    /// Waits for the end of a process; when `time_max` is over, ends it with all that it started.
    pub(super) fn end_of(&self, mut runner: Child, time_max: Duration) -> Result<RunnerEnd, TrialError> {
        const PAUSE: Duration = Duration::from_millis(1);
        let pid = Pid::from_child(&runner);
        let begun = Instant::now();
        let status = loop {
            match runner.try_wait().map_err(TrialError::Io)? {
                Some(status) => break Ok(status),
                None if begun.elapsed() > time_max => {
                    // Fails only if it is gone.
                    kill_process_group(pid, Signal::KILL).ok();
                    runner.wait().map_err(TrialError::Io)?;
                    break Err(TrialError::Silent);
                }
                None => std::thread::sleep(PAUSE),
            }
        };
        self.children.forget(pid);
        Ok(RunnerEnd {
            status: status?,
            answer: read_available(runner.stdout)?,
            output: read_available(runner.stderr)?.trim_end().to_owned(),
        })
    }
}

#[derive(Debug)]
pub(super) struct RunnerEnd {
    pub(super) status: ExitStatus,
    pub(super) answer: String,
    pub(super) output: String,
}

/// Reads what a pipe holds now: an orphan may keep the pipe open.
fn read_available(pipe: Option<impl Read + AsFd>) -> Result<String, TrialError> {
    const BYTES_MAX: u64 = 4096;
    let Some(pipe) = pipe else { return Ok(String::new()) };
    rustix::io::ioctl_fionbio(&pipe, true).map_err(|error| TrialError::Io(error.into()))?;
    let mut bytes = Vec::new();
    pipe.take(BYTES_MAX).read_to_end(&mut bytes).or_else(none_left).map_err(TrialError::Io)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.into_owned())
}

fn none_left(error: io::Error) -> io::Result<usize> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(error) }
}
