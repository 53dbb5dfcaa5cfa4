//! `hhrf check-jail`: an operator's acceptance test of their own machine, runner and jail. A hostile module, shipped
//! with the host, tries to leave its jail, one attempt a request, on the road of every request: catalogue, executor,
//! runner. Under each executor, since each manifest chooses one.
//!
//! 1. [`secret`]: the host's environment gets something to be found in it.
//! 2. [`site`]: a root with the module, under several manifests, each for every executor. [`baits`]: what an attempt is
//!    to reach, [`sockets`] and a [`victim`] among it.
//! 3. [`attempts`] is the list, [`attempt`] what each is. `run` makes them, one after the other, by [`client`].
//! 4. [`judge`] says what came of one: by the module's word, the host's log, and what the baits and [`census`] saw.
//!    [`machine`] knows what this machine hasn't got.
//! 5. [`report`] is what is printed.

pub mod secret;

pub mod baits;
pub mod site;
pub mod sockets;
pub mod victim;

pub mod attempt;
pub mod attempts;
pub mod client;
mod run;

pub mod census;
pub mod judge;
pub mod machine;

pub mod report;

pub use run::{CheckError, Selection, check_jail};
