//! HHRF, the Fezz host: HTTP requests in, answered by functions that run as native modules, one process per request.
//!
//! Before it listens: [`settings`], with a look at misspelt [`variables`], and the [`catalogue`] of functions, built from what a
//! [`source`] yields, and exchanged later by [`reload`].
//!
//! Then, in the order that a request meets them:
//!
//! 1. [`serve`]: an address. [`connection`](mod@connection): HTTP/1.1 or HTTP/2; [`head_clock`] says how long it waits
//!    for a request; [`sending`] is what it owes its client, a [`response_body`] each, on a [`stream`] of its own in
//!    HTTP/2; [`leftover`] is what its client still sends after the answer.
//! 2. [`walk`]: the stages, one after the other. [`framing`] refuses a body whose end is uncertain, [`own`] is what the
//!    host answers itself; [`exchange`] is the one line that each request leaves in the log, under its [`identity`].
//! 3. [`route`](mod@route): which function.
//! 4. [`admit`](mod@admit): the body, out of the host's [`memory`], and a permit of the function's [`limiter`]; or a
//!    [`refusal`].
//! 5. [`execute`]: a process; or a failure. [`children`] keeps count of them, and ends what they leave
//!    behind; [`jail`](mod@jail) has them confine themselves, each in one
//!    of the [`cgroups`] where there are some.
//! 6. [`respond`](mod@respond): its bytes as an HTTP response, [`headers`] checked; or a [`problem`].
//!
//! [`host`] is what all requests share, [`metrics`] what is counted, each function's in [`series`], [`log`] where it is told, and [`server`]
//! brings it up and down.
//!
//! Beside all that: [`check_jail`](mod@check_jail) tries what its runner's jail holds. [`command_line`] is where a
//! program of this begins.
#![forbid(unsafe_code)]

pub mod settings;
pub mod variables;

pub mod catalogue;
pub mod reload;
pub mod source;

pub mod serve;
pub mod share;

pub mod arriving;
pub mod connection;
pub mod head_clock;
pub mod header_blocks;
pub mod leftover;
pub mod response_body;
pub mod write_tracker;
pub mod socket;
pub mod stream;
mod unwritten;
pub mod version;
pub mod watched;

pub mod access_log;
pub mod framing;
pub mod identity;
pub mod builtin;
pub mod pipeline;

pub mod route;

pub mod admit;
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

pub use server::HhrfServer;
