//! `fezz-runner MODULE < request > response`: see the library's page.
//!
//! `no_main`: std's own start-up reads `/proc/self/maps` for the stack's bounds and installs handlers for stack
//! overflow, neither of which a process of one request needs (README of `bench/`: what it gained).
#![no_main]

use fezz_runner::{Command, HELP, exit_now, hold_network, parse, report, run};
use std::ffi::{c_char, c_int};

/// The C entry point. The arguments are read through std, to which glibc passes them before `main`.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    let status = match parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("fezz-runner ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::HoldNetwork) => match hold_network() {
            Ok(()) => 0,
            Err(failure) => report(&failure, failure.exit_code()),
        },
        // SAFETY: `run` needs a process with one thread, which uses no descriptor beyond stderr and no pointer into its
        // environment: this is the program's beginning, where none was started, opened or taken.
        Ok(Command::Run(options)) => match unsafe { run(&options) } {
            Ok(()) => 0,
            Err(failure) => report(&failure, failure.exit_code()),
        },
        Err(usage) => report(&usage, fezz_wire::ExitCode::Usage),
    };
    // Not `return`: destructors and atexit handlers of the module are module code, and what they did would come
    // after the response.
    exit_now(status)
}

fn print(text: &str) -> u8 {
    match rustix::io::write(rustix::stdio::stdout(), text.as_bytes()) {
        Ok(_) => 0,
        Err(_) => fezz_wire::ExitCode::Io.as_u8(),
    }
}
