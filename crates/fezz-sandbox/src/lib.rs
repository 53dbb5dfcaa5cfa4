//! One request to a built function, through the real runner and its jail, without a host: for `cargo fezz invoke` and for
//! an author's tests.
//!
//! 1. [`release`]: a function as its two files, checked as the host checks them.
//! 2. [`Request`], and [`routes`]: which route of the function it takes, with its parameters.
//! 3. [`runner`]: the program that serves it. [`Sandbox`] has it serve; a program of the author's own by `worker`.
//! 4. [`Fault`]: why there is no response, with the status that a host would answer.
//! 5. [`variables`]: how `cargo fezz test` names the function to the tests.
//!
//! No code of a module runs in this process: the runner loads it, in its jail.

#![forbid(unsafe_code)]

pub mod release;

mod request;
pub mod routes;

pub mod runner;
mod sandbox;
mod secrets;
mod worker;

mod fault;

pub mod variables;

pub use fault::Fault;
pub use release::{Release, ReleaseError};
pub use request::{Addressee, Request};
pub use runner::{Jail, NoRunner};
pub use sandbox::{Sandbox, SandboxError, Served};
pub use secrets::SecretError;
