//! What to do where the jail has refused something.

use std::error::Error as StdError;
use std::io;

/// Says so of EPERM and EACCES only, and by which key a connection is allowed. The error doesn't tell which call it was,
/// and so the hint says for which it is.
const REFUSED: &str = "the jail refuses what fezz.json doesn't name: to connect, its `network.connect` must hold the port, \
                       as in `\"network\": {\"connect\": [5432]}`; a program can't be started: use a library or a thread";

/// For a path that isn't there: in the jail most aren't.
const NOT_FOUND: &str = "a function has no file of the host but libraries and time zones: put it into the module by \
                         `include_str!`, or its text into `env` of fezz.json";

/// The hint, if the error or one of its sources is what the jail makes the kernel say.
pub(crate) fn hint(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::PermissionDenied) => return Some(REFUSED),
            Some(io::ErrorKind::NotFound) => return Some(NOT_FOUND),
            _ => {}
        }
        next = error.source();
    }
    None
}
