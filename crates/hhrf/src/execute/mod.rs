//! Third stage: a process answers, or doesn't.
//!
//! [`pool`] is what an executor is: it makes a pool for each function, and the pool answers requests. [`Executors`] lists
//! them: [`spawn`] starts a runner for each request, [`fork`] forks a process from one that has the module loaded. `pools`
//! are those of the functions that were called lately.
//!
//! What executors share: [`start`] and [`command`](mod@command) are how a runner is started, [`process`] is its process,
//! killed and reaped on every way out; [`demand`] is how many wait for requests, [`back_off`] when to retry what failed.
//! [`message`] is what a request sends, [`request_writer`] sends it; [`response_reader`] takes the response and
//! [`stderr_log`] the log; [`failure`] is what can go wrong.

mod executors;
pub mod pool;
mod pools;

pub mod spawn;

pub mod fork;

pub mod back_off;
pub mod command;
pub mod demand;
pub mod process;
pub mod start;

pub mod message;
pub mod request_writer;
pub mod response_reader;
pub mod stderr_log;
pub mod watch;

pub mod failure;

pub use executors::Executors;
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
