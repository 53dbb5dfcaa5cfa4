//! Inherited descriptors.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("inherited-descriptors", "find an open descriptor beside its streams and its response"),
    Attempt::new("standard-descriptors", "find a folder, a file or a socket at its standard streams"),
    Attempt::new("read-own-stderr", "open the host's end of its log"),
];
