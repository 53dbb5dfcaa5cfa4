//! HHRF, the Fezz host: HTTP requests in, answered by functions that run as native modules, one process per request.
//!
//! A program that embeds the host begins with [`HhrfServer::builder`] and [`settings`]. It may bring a [`source`] of
//! [releases](release), an executor ([`execute::pool`]), and what these take and return: a function of the
//! [`catalogue`], an [admitted](mod@admitted) request with its [`identity`], permits of a [`limiter`] and [`memory`].
//! [`jail`](mod@jail) and [`children`] confine and list the processes.
//!
//! [`signals`] stop and reload a host, where its program wants that.
//!
//! The program `hhrf`, by the feature `program`, also has a [`log`], a check for misspelt [`variables`], a [`command_line`], and
//! [`check_jail`](mod@check_jail), which tests the runner's jail by attempts to escape.
//!
//! Inside, before the host listens: a source yields releases, and of these the catalogue is built, which `reload`
//! replaces later. Then, in the order of a request's way:
//!
//! 1. `serve`: a listener. `connection`: HTTP/1.1 or HTTP/2; `head_clock` has its timeouts for heads; `write_tracker`
//!    tracks its requests and unsent responses, each a `response_body`, on its own `stream` in HTTP/2; `leftover`
//!    discards what the client still sends after the answer.
//! 2. `pipeline`: the stages, one after the other. `framing` refuses a body whose end is uncertain, `builtin` has the
//!    endpoints that the host answers itself; `access_log` writes one line for each request.
//! 3. `route`: which function.
//! 4. `admit`: the body, out of the host's memory, and the permits; or a `refusal`.
//! 5. `execute`: a process, in one of the `cgroups` if there are any; or a failure, which [`failure_recorder`] may keep.
//! 6. `respond`: its bytes as an HTTP response, `headers` checked; or a `problem`.
//!
//! `cores` has a runtime for each processor, if the settings want that. [`host`] is what all requests share. `metrics` has the counters, `series` those of each function, and [`server`]
//! starts and stops the host.
#![forbid(unsafe_code)]

pub mod settings;
#[cfg(feature = "program")]
pub mod variables;

pub mod release;

pub mod source;

pub mod catalogue;
mod reload;

mod cores;
mod serve;
mod share;

mod arriving;
mod connection;
mod head_clock;
mod header_blocks;
mod leftover;
mod origin;
mod response_body;
mod seldom;
mod socket;
mod stream;
mod unwritten;
mod version;
mod watched;
mod write_tracker;

mod access_log;
mod builtin;
mod framing;
pub mod identity;
mod pipeline;

mod route;

mod admit;
pub mod admitted;
pub mod limiter;
pub mod memory;
mod refusal;

mod cgroups;
pub mod children;
pub mod execute;
pub mod failure_recorder;
pub mod jail;

mod headers;
mod problem;
mod respond;

pub mod host;
pub mod log;
#[cfg(feature = "program")]
mod log_batches;
mod metrics;
mod series;
pub mod server;
pub mod signals;

#[cfg(feature = "program")]
pub mod check_jail;
#[cfg(feature = "program")]
pub mod command_line;

#[cfg(test)]
#[cfg(feature = "program")]
mod reference;

pub use server::HhrfServer;
