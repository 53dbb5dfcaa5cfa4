//! Third stage: a process answers, or doesn't.
//!
//! [`Executors`] has the two ways to come by one: [`spawn`] starts a runner for each request, [`fork`] forks a process
//! from one that has the module loaded. What they share: [`start`] and [`command`](mod@command) are how a runner is
//! started, [`process`] is its process, killed and reaped on every way out; [`spare`] is how many are there ahead of their
//! requests, [`per_function`] whose they are, [`back_off`] when what failed is tried again. [`message`] is what a request
//! sends, [`request_writer`] sends it; [`response_reader`] takes what is answered and [`stderr_log`] what is logged;
//! [`failure`] is what can go wrong.

pub mod spawn;

pub mod fork;

pub mod back_off;
pub mod command;
pub mod per_function;
pub mod process;
pub mod spare;
pub mod start;

pub mod message;
pub mod request_writer;
pub mod response_reader;
pub mod stderr_log;
pub mod watch;

pub mod failure;

mod executors;

pub use executors::{Ahead, Executors};
pub use failure::Failure;

use crate::memory::Holding;
use bytes::Bytes;

/// A whole message of a function, not yet decoded.
#[derive(Debug)]
pub struct RawResponse {
    /// The message.
    pub bytes: Bytes,
    /// The memory of it.
    pub holding: Holding,
}

/// What came of a request.
pub type Outcome = Result<RawResponse, Failure>;
