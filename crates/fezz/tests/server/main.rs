//! A host in the test's own process: the feature `server`.

mod calls;
mod config;
mod functions;
mod harness;
mod jailed;
mod life;
mod requests;
mod samples;
