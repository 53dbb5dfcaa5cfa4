//! A secret in the host's environment. It has to be there when the program is executed: the kernel shows the
//! environment that a process was executed with.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable's name. It isn't a setting: those begin with `HHRF_`.
const VARIABLE: &str = "FEZZ_CHECK_JAIL_SECRET";

/// The secret, if this program has been executed with it.
pub fn of_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|secret| !secret.is_empty())
}

/// Executes this program again, with a secret. Returns only if that fails.
pub fn execute_again() -> io::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let secret = format!("secret-{:032x}", rand::random::<u128>());
    Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, secret).exec()
}
