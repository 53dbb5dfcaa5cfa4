//! Measures what the host adds to the price of its runner, and what a jail adds to that of a request. In the order of a
//! run:
//!
//! - [`function`]: what is called.
//! - [`build`]: a folder of binaries to be measured; two of them are a before and an after.
//! - [`contender`]: a way to have a function answer, as often as it can.
//! - [`bare`]: the contender that is a plain spawn of the runner.
//! - [`http`]: the contender that is a page of a server.
//! - `server`: the process and the folder of one.
//! - [`jail`]: what confines a host's functions.
//! - [`host`]: the server that is the host.
//! - [`program`]: what has to be installed for the peers.
//! - `cgi`: the programs that they run.
//! - [`lighttpd`]: the server that is the peer.
//! - [`rounds`]: alternates them, so that what else the machine does meets all of them alike.
//! - `statistics`: medians, and ratios within a round.
//! - [`table`]: a row for each contender.
//! - [`summary`]: one contender against another, in a line.
//!
//! README.md says how to read the tables.

pub mod function;

pub mod build;

pub mod contender;

pub mod bare;
pub mod http;
mod server;

pub mod jail;

pub mod host;

pub mod program;

mod cgi;
pub mod lighttpd;

pub mod rounds;

mod statistics;
pub mod summary;
pub mod table;

/// An error with its causes, as one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
