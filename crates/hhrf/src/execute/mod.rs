//! The stage `execute`: a process executes the function.
//!
//! [`pool`] has the traits: an executor makes a pool for each function, and the pool answers requests. [`Executors`]
//! lists them: [`spawn`] starts a runner for each request, [`fork`] forks a process from one that has the module
//! loaded. `pools` has the pools of the functions that were called lately.
//!
//! What executors share: [`start`] and [`command`](mod@command) start a runner; [`process`] is its process, which is
//! always killed and reaped; [`demand`] decides how many idle processes to keep, [`back_off`] when to retry.
//! [`message`] encodes a request and [`request_writer`] sends it; [`response_reader`] reads the response and
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

/// A function's complete message, not yet decoded.
#[derive(Debug)]
pub struct RawResponse {
    /// The message.
    pub bytes: Bytes,
    /// The memory of it.
    pub holding: Holding,
}

/// The result of a request.
pub type Outcome = Result<RawResponse, Failure>;
