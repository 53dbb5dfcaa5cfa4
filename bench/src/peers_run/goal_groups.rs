//! Measurements that only the goals need: other functions, and clients that pause.

use super::{PeersRun, PeersRunError};
use crate::function::Function;
use crate::goals::{Measured, extra};
use crate::host::Host;
use crate::memory::at_rest;
use crate::peers::PeerError;
use crate::peers::postgres::Postgres;
use crate::setup::{Execution, Setup};
use crate::target_specs::StartError;
use std::time::Duration;

/// The executor `fork` with a 10 KiB echo and with 1000 functions, compared to the Rust hello, since the echo is in
/// Rust.
///
/// # Errors
///
/// See [`PeersRunError`].
pub(crate) fn fork(run: &PeersRun, measured: &mut Measured) -> Result<(), PeersRunError> {
    const CONCURRENCY: usize = 16;
    const ECHO_BYTES: usize = 10 * 1024;
    const REGISTERED: usize = 1000;
    let functions = [Function::Hello, Function::Echo];
    let few = Host::start(&run.build, Setup::strict(Execution::FORK, &functions))?;
    let setup = Setup { copies: REGISTERED - 1, ..Setup::strict(Execution::FORK, &functions[..1]) };
    let many = Host::start(&run.build, setup)?;
    measured.bytes_with_1000 = at_rest(many.server()).bytes;

    let hello = few.page(extra::HELLO, Function::Hello);
    let echo = few.echo(extra::ECHO, ECHO_BYTES);
    let of_1000 = many.page(extra::OF_1000, Function::Hello);
    run.group(CONCURRENCY, Duration::ZERO, &[&hello, &echo, &of_1000], measured)?;
    Ok(())
}

/// The executor `worker` with a function that asks a database, compared to a plain server that does.
///
/// # Errors
///
/// See [`PeersRunError`]. Where a program is missing, it isn't measured.
pub(crate) fn database(run: &PeersRun, measured: &mut Measured) -> Result<(), PeersRunError> {
    const CONCURRENCY: usize = 16;
    let started = Postgres::start().and_then(|postgres| Ok((postgres.axum()?, postgres)));
    let (axum, postgres) = match started {
        Err(PeerError::Missing(missing)) => {
            eprintln!("bench: SELECT 1 is left out: {missing}");
            return Ok(());
        }
        started => started.map_err(StartError::from)?,
    };
    let (url, functions) = (postgres.url(), [Function::Select]);
    let setup = Setup { database: Some(&url), ..Setup::strict(Execution::WORKER, &functions) };
    let host = Host::start(&run.build, setup)?;
    let through_worker = host.page(extra::SELECT, Function::Select);
    let through_axum = axum.page(extra::SELECT_AXUM, Function::Select, 0);
    run.group(CONCURRENCY, Duration::ZERO, &[&through_worker, &through_axum], measured)?;
    Ok(())
}

/// The executor `spawn` with a client that pauses after each answer, so that the host has time to prewarm a runner.
/// Without pauses, one client waits for the start of processes in either case.
///
/// # Errors
///
/// See [`PeersRunError`].
pub(crate) fn pauses(run: &PeersRun, measured: &mut Measured) -> Result<(), PeersRunError> {
    /// Several times the start of a process, and short enough for some dozens of requests per interval.
    const PAUSE: Duration = Duration::from_millis(20);
    let functions = [run.function];
    let start = |execution| Host::start(&run.build, Setup::strict(execution, &functions));
    let (prewarmed, without) = (start(Execution::SPAWN_PREWARMED)?, start(Execution::SPAWN)?);
    let prewarmed_page = prewarmed.page(extra::PREWARMED_PACED, run.function);
    let without_page = without.page(extra::SPAWN_PACED, run.function);
    run.group(1, PAUSE, &[&prewarmed_page, &without_page], measured)?;
    Ok(())
}
