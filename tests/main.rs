//! The real host, the real runner, real modules: one binary, one harness.
#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

mod harness;

mod admission;
mod ahead;
mod cancellation;
mod catalogue;
mod check_jail;
mod confinement;
mod early_answers;
mod endurance;
mod environment;
mod fork;
mod framing;
mod harm;
mod head_requests;
mod jail;
mod life;
mod logs;
mod manifests;
mod messages;
mod nsjail;
mod ordinary;
mod routing;
mod runner;
mod soak;
mod takeover;
mod timeouts;
mod wrapper;
