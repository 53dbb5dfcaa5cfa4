//! `hhrf check-jail`: an operator's acceptance test of their own machine, runner and jail. A hostile module, shipped
//! with the host, tries to leave its jail, one attempt per request, through the same catalogue, executor and runner as
//! every request. Each attempt is made under each executor, since each manifest chooses one.
//!
//! 1. [`secret`]: puts a secret into the host's environment.
//! 2. `site`: a root with the module, under several manifests, each for every executor. `baits`: what attempts try
//!    to reach, `sockets` and a [`victim`] process among it.
//! 3. The module has the list of the attempts, `attempt` describes one. `run` asks for the list and makes them, one
//!    after the other, by `client`; `rewind` those that take several requests to one process.
//! 4. `judge` decides on the result: by the module's report, the host's log, the baits, and `leftovers`, the scan
//!    for processes that are left. `machine` knows what this machine lacks.
//! 5. `report` is what is printed.

pub mod secret;

mod baits;
mod site;
mod sockets;
pub mod victim;

mod error;

mod attempt;
mod client;
mod rewind;
mod run;

mod judge;
mod leftovers;
mod machine;

mod report;

pub use error::CheckError;
pub use report::{Format, Report};
pub use run::{Selection, check_jail};
