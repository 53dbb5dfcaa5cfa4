//! A host in the test's own process: the feature `server`.

#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

mod calls;
mod config;
mod functions;
mod harness;
mod hooks;
mod jailed;
mod life;
mod replace;
mod requests;
mod samples;
