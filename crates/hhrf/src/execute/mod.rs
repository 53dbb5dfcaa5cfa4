//! The stage `execute`: a process executes the function.
//!
//! [`pool`] has the traits: an executor makes a pool for each function, and the pool answers requests. [`Executors`]
//! lists them: [`spawn`] starts a runner for each request, [`fork`] forks a process from one that has the module
//! loaded, [`worker`] has processes that serve request after request. [`in_process`] calls modules in the host's process, [`native`] code of the
//! program itself, and [`calls`] are calls in this process, which can't be killed. `pools` has the pools of the functions that were called lately; with
//! `per_core` some of these have a pool for each processor. An [`answer`] is the head of a response and a
//! body.
//!
//! What executors share: `process_pool` is a pool of processes, each for one request; [`demand`] decides how many idle
//! ones it keeps, [`back_off`] when to retry; [`load`] is why a process that stays can't be made ready. [`start`] and [`command`](mod@command) start a runner; [`process`] is its
//! process, which is always killed and reaped. [`message`] encodes a request and [`request_writer`] sends it;
//! [`response_reader`] reads the response and [`stderr_log`] the log, with its `log_event`s, which a request's `lease` holds; [`failure`] is
//! what can go wrong.

mod executors;
mod per_core;
pub mod pool;
mod pools;

pub mod spawn;

pub mod fork;

pub mod in_process;

pub mod native;

pub mod worker;

pub mod calls;

mod process_pool;
pub mod rewind;

pub mod back_off;
pub mod command;
pub mod demand;
pub mod load;
pub mod process;
pub mod start;

mod lease;
mod log_event;
pub mod message;
pub mod request_writer;
pub mod response_reader;
pub mod stderr_log;
pub mod watch;

pub mod answer;
pub mod failure;

pub use answer::{Answer, AnswerBody, AnswerBytes};
pub use executors::{Executors, NotExecutable, NotReady};
pub use failure::Failure;
