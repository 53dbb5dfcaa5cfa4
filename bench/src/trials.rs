//! What is measured for the targets alone: the executors on other functions, and with clients of another kind.

use crate::function::Function;
use crate::host::Host;
use crate::memory::at_rest;
use crate::race::{Race, RaceError};
use crate::setup::{Execution, Setup};
use crate::targets::{Measured, extra};
use std::time::Duration;

/// The executor `fork` on a function that takes and gives 10 KiB, and among 1000 functions. Beside them its hello in
/// Rust, which is what the echo is written in.
///
/// # Errors
///
/// See [`RaceError`].
pub(crate) fn fork(race: &Race, measured: &mut Measured) -> Result<(), RaceError> {
    const CONCURRENCY: usize = 16;
    const ECHO_BYTES: usize = 10 * 1024;
    const REGISTERED: usize = 1000;
    let functions = [Function::Hello, Function::Echo];
    let few = Host::start(&race.build, Setup::strict(Execution::FORK, &functions))?;
    let setup = Setup { copies: REGISTERED - 1, ..Setup::strict(Execution::FORK, &functions[..1]) };
    let many = Host::start(&race.build, setup)?;
    measured.bytes_with_1000 = at_rest(many.server()).bytes;

    let hello = few.page(extra::HELLO, Function::Hello);
    let echo = few.echo(extra::ECHO, ECHO_BYTES);
    let of_1000 = many.page(extra::OF_1000, Function::Hello);
    race.group(CONCURRENCY, Duration::ZERO, &[&hello, &echo, &of_1000], measured)?;
    Ok(())
}

/// The executor `spawn` with a client that pauses after each answer, so that there is time to start a process ahead.
/// Back to back, one client waits for the start of processes either way.
///
/// # Errors
///
/// See [`RaceError`].
pub(crate) fn pauses(race: &Race, measured: &mut Measured) -> Result<(), RaceError> {
    /// Several times what a process takes to start, and short enough for some dozens of requests a turn.
    const PAUSE: Duration = Duration::from_millis(20);
    let functions = [race.function];
    let start = |execution| Host::start(&race.build, Setup::strict(execution, &functions));
    let (ahead, without) = (start(Execution::SPAWN_AHEAD)?, start(Execution::SPAWN)?);
    let ahead_page = ahead.page(extra::AHEAD_PACED, race.function);
    let without_page = without.page(extra::SPAWN_PACED, race.function);
    race.group(1, PAUSE, &[&ahead_page, &without_page], measured)?;
    Ok(())
}
