//! The real host, the real runner, real modules: one binary, one harness.
#![allow(clippy::unwrap_used, reason = "a test that meets an error should stop there")]

mod harness;

mod admission;
mod canary;
mod cancellation;
mod catalogue;
mod check_jail;
mod clean_clone;
mod confinement;
mod connections;
mod container;
mod early_answers;
mod endurance;
mod environment;
mod envoy;
mod filtered;
mod fork;
mod framing;
mod harm;
mod head_requests;
mod heads;
mod host_end;
mod jail;
mod life;
mod logs;
mod manifests;
mod memory;
mod messages;
mod metrics;
mod nsjail;
mod ordinary;
mod out_of_memory;
mod prewarmed;
mod routing;
mod runner;
mod seams;
mod siege;
mod soak;
mod takeover;
mod timeouts;
mod trial;
mod uids;
mod unread;
mod wrapper;
mod wrappers;
