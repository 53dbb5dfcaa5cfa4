//! Measures the host and comparable servers (peers), and the cost of each part of the host. In the order of a run:
//!
//! - [`function`]: the functions that are called.
//! - [`build`]: a folder of binaries to measure; a run can compare two of them.
//! - [`target`]: the trait of everything that is measured.
//! - `load`: the clients of an interval, in one thread.
//! - [`http`]: the target for a page of a server.
//! - `wire`: the request as the host writes it, for the two below.
//! - [`bare`]: the target that only spawns the runner.
//! - [`prefork`]: the target that is a minimal loop of fork and call.
//! - [`server`]: a server's process and folder.
//! - [`setup`]: how a host runs its functions.
//! - [`host`]: the host as a server.
//! - [`program`]: programs that must be installed for the peers.
//! - [`compile`]: the C programs and modules that a run needs.
//! - [`peers`]: the servers that the host is compared to.
//! - [`target_specs`]: all targets of `make bench`, one table row each.
//! - [`memory`]: the memory of an idle server.
//! - [`rounds`]: alternates targets, so that other load on the machine affects all of them alike.
//! - [`rewind_run`]: `rewind` beside `fork` and `wasmtime serve`, with several functions.
//! - [`peers_run`]: a run of `make bench`, and its measurements that only the goals need.
//! - `statistics`: medians, and ratios within a round.
//! - [`table`]: tables in text and Markdown; then their contents: [`ratios`], [`summary`], [`target_results`], [`goals`].
//! - [`plots`]: the same as SVG.
//! - [`curves`]: a run of `make bench-curves`.
//! - [`machine`]: a description of the machine.
//! - [`report`] and [`result_files`]: what is printed, and what is kept in the repository.
//!
//! README.md explains the tables.

pub mod function;

pub mod build;

pub mod target;

mod load;

pub mod http;

mod wire;

pub mod bare;
pub mod prefork;

pub mod server;

pub mod setup;

pub mod host;

pub mod program;

pub mod compile;

pub mod peers;

pub mod target_specs;

pub mod memory;

pub mod rounds;

pub mod rewind_run;

pub mod peers_run;

mod statistics;

pub mod table;

pub mod goals;
pub mod ratios;
pub mod summary;
pub mod target_results;

pub mod plots;

pub mod curves;

pub mod machine;

pub mod report;
pub mod result_files;

/// How a program of this crate ends: an error is printed with its causes.
pub fn exit_code(result: Result<(), impl std::error::Error + 'static>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {}", fezz_wire::chain(&error));
            std::process::ExitCode::FAILURE
        }
    }
}
