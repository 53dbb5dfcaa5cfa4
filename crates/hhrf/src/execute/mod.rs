//! Third stage: a process answers, or doesn't.
//!
//! [`spawn`] walks through one request: [`command`](mod@command) is how its process is started, [`message`] what it
//! sends, [`request_writer`] sends it; [`process`] is its process, killed and reaped on every way out;
//! [`response_reader`] takes what it answers and [`stderr_log`] what it logs; [`failure`] is what can go wrong.

pub mod command;
pub mod failure;
pub mod message;
pub mod process;
pub mod request_writer;
pub mod response_reader;
pub mod spawn;
pub mod stderr_log;

pub use failure::Failure;
pub use spawn::Spawn;

use bytes::Bytes;

/// What came of a request: the bytes of a whole message, not yet decoded, or a failure.
pub type Outcome = Result<Bytes, Failure>;
