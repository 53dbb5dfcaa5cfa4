//! Measures the host beside its peers, and what each of its parts costs. In the order of a run:
//!
//! - [`function`]: what is called.
//! - [`build`]: a folder of binaries to be measured; two of them are a before and an after.
//! - [`contender`]: a way to have a function answer, as often as it can.
//! - `load`: the clients of a turn, in one thread.
//! - [`http`]: the contender that is a page of a server.
//! - `wire`: the request as the host writes it, for what follows.
//! - [`bare`]: the contender that is a plain spawn of the runner.
//! - [`prefork`]: the contender that is a bare loop of fork and call.
//! - [`server`]: the process and the folder of one.
//! - [`setup`]: how a host runs its functions.
//! - [`host`]: the server that is the host.
//! - [`program`]: what has to be installed for the peers.
//! - [`compile`]: the C programs and modules that a run needs.
//! - [`peers`]: servers that are none of ours.
//! - [`entrants`]: all that `make bench` measures, a row each.
//! - [`memory`]: what a server takes at rest.
//! - [`rounds`]: alternates contenders, so that what else the machine does meets all of them alike.
//! - [`race`]: a run of `make bench`; `trials`: what it measures for the targets alone.
//! - `statistics`: medians, and ratios within a round.
//! - [`table`]: tables in text and Markdown; then what stands in them: [`ratios`], [`summary`], [`standings`],
//!   [`targets`].
//! - [`plots`]: the same as SVG.
//! - [`curves`]: a run of `make bench-curves`.
//! - [`machine`]: what all of it ran on.
//! - [`report`] and [`results`]: what is printed, and what is kept.
//!
//! README.md says how to read the tables.

pub mod function;

pub mod build;

pub mod contender;

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

pub mod entrants;

pub mod memory;

pub mod rounds;

pub mod race;
mod trials;

mod statistics;

pub mod table;

pub mod ratios;
pub mod standings;
pub mod summary;
pub mod targets;

pub mod plots;

pub mod curves;

pub mod machine;

pub mod report;
pub mod results;

/// An error with its causes, as one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
