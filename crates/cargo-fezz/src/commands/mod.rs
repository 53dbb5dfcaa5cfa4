//! The subcommands. Each is a struct of its options with a function `run`, and an enum of what can go wrong.

pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod invoke;
pub(crate) mod logs;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod test;
pub(crate) mod watch;
