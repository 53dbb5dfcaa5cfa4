//! The real command in scratch projects, compiled by the real cargo, without a network.
#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

mod build;
mod check;
mod deploy;
mod harness;
mod invoke;
mod logs;
mod new;
mod secrets;
mod test;
mod tools;
mod watch;
