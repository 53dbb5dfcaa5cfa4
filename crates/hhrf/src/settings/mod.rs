//! The host's settings: a flag goes over an environment variable, that over the file, that over the default.
//!
//! `layer` has them as they are given, `defaults` what holds otherwise, and `merge` makes [`Settings`] of both.
//! `execution` reads one of the values, `runner` finds the runner, [`SettingsError`] is what can be wrong.

mod bounds;
mod check;
mod defaults;
mod error;
#[cfg(feature = "program")]
mod execution;
mod in_process;
mod jail_mode;
mod layer;
mod merge;
mod runner;
mod values;

pub(crate) use bounds::{UID_BASE_FIRST, UIDS};
pub use error::SettingsError;
#[cfg(feature = "program")]
pub(crate) use execution::parse_execution;
pub use in_process::InProcessFunctions;
pub use jail_mode::JailMode;
pub use layer::Layer;
pub use runner::is_wrapper;
pub use values::{HostLimits, Listener, LogFormat, Rpc, Settings};
