//! What is the program's and not the library's: the limit of open files, warnings at the start.

pub(crate) mod check;
pub(crate) mod descriptors;
pub(crate) mod parent;
pub(crate) mod rights;
pub(crate) mod start;
