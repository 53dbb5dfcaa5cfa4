//! HHRF, the Fezz host: HTTP requests in, answered by functions that run as native modules, one process per request.
//!
//! Before it listens: [`settings`], with a check for misspelt [`variables`]; a [`source`] yields [releases](release), and
//! of these the [`catalogue`] of functions is built, which [`reload`] replaces later.
//!
//! Then, in the order of a request's way:
//!
//! 1. [`serve`]: a listener. [`connection`](mod@connection): HTTP/1.1 or HTTP/2; [`head_clock`] has its timeouts for
//!    heads; [`write_tracker`] tracks its requests and unsent responses, each a [`response_body`], on its own
//!    [`stream`] in HTTP/2; [`leftover`] discards what the client still sends after the answer.
//! 2. [`pipeline`]: the stages, one after the other. [`framing`] refuses a body whose end is uncertain, [`builtin`] has
//!    the endpoints that the host answers itself; [`access_log`] writes one line for each request, with its
//!    [`identity`].
//! 3. [`route`](mod@route): which function.
//! 4. [`admit`](mod@admit): the body, out of the host's [`memory`], and a permit of the function's [`limiter`]; or a
//!    [`refusal`].
//! 5. [`execute`]: a process; or a failure. [`children`] lists the processes and ends their orphans; [`jail`](mod@jail)
//!    confines them, each in one of the [`cgroups`] if there are any.
//! 6. [`respond`](mod@respond): its bytes as an HTTP response, [`headers`] checked; or a [`problem`].
//!
//! [`host`] is what all requests share. [`metrics`] has the counters, [`series`] those of each function. [`log`] is the
//! log, and [`server`] starts and stops the host.
//!
//! [`check_jail`](mod@check_jail) tests the runner's jail by attempts to escape. [`command_line`] is the program's
//! command line.
#![forbid(unsafe_code)]

pub mod settings;
pub mod variables;

pub mod release;

pub mod source;

pub mod catalogue;
pub mod reload;

pub mod serve;
pub mod share;

pub mod arriving;
pub mod connection;
pub mod head_clock;
pub mod header_blocks;
pub mod leftover;
pub mod origin;
pub mod response_body;
pub mod socket;
pub mod stream;
mod unwritten;
pub mod version;
pub mod watched;
pub mod write_tracker;

pub mod access_log;
pub mod builtin;
pub mod framing;
pub mod identity;
pub mod pipeline;

pub mod route;

pub mod admit;
pub mod admitted;
pub mod limiter;
pub mod memory;
pub mod refusal;

pub mod cgroups;
pub mod children;
pub mod execute;
pub mod jail;

pub mod headers;
pub mod problem;
pub mod respond;

pub mod host;
pub mod log;
pub mod metrics;
pub mod series;
pub mod server;

pub mod check_jail;
pub mod command_line;

#[cfg(test)]
mod reference;

pub use server::HhrfServer;
