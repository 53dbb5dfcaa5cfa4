//! The process that serves one request, in the order in which things happen:
//!
//! - `options`: the command line.
//! - `run`: the straight list of steps, with the reason for their order.
//! - `channel`: where the request comes from and the response goes, out of the module's reach.
//! - `termination`: ends the process when its time is up, or its host gone.
//! - `environment`: the variables of the manifest, and no others.
//! - `jail`: what is given up before the module is loaded.
//! - `limits`: memory, processor time, threads, core files.
//! - `crash`: distinguishes a crash at the memory limit from any other, by the record in `allocations`.
//! - `module`: the shared library and its functions.
//! - `program`, `exec`: the alternative to a module, a program that replaces this process.
//! - `zygote`: serves many requests instead of one, each by a process that it forks, or that the host puts back to a
//!   snapshot after each.
//! - `worker`: serves many requests instead of one, all in this process.
//! - `syscalls`: what needs `unsafe` besides the module.
//!
//! The host starts it, or a wrapper named by `FEZZ_RUNNER` does; it also works alone, for instance under a debugger:
//! `fezz-runner module.so < request.cbor > response.cbor`.

use fezz_unwind as _;

mod options;

mod run;

mod termination;

mod channel;
mod environment;

mod jail;
mod limits;

mod allocations;
mod crash;
mod module;

mod exec;
mod program;

mod zygote;

mod worker;

mod syscalls;

pub use options::{Command, HELP, Options, parse};
pub use run::{Failure, hold_network, run};
pub use syscalls::exit_now;

/// Prints an error with its causes on stderr, as one line, and returns the status to exit with.
pub fn report(error: &(dyn std::error::Error + 'static), code: fezz_wire::ExitCode) -> u8 {
    channel::log(format!("fezz-runner: {}\n", fezz_wire::chain(error)).as_bytes());
    code.as_u8()
}
