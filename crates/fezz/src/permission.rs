//! What to do where the jail has refused something.

use std::error::Error as StdError;
use std::io;

/// Says so of EPERM and EACCES only, and by which key a connection is allowed. The error doesn't tell which call it was,
/// and so the hint says for which it is.
const HINT: &str = "the jail refuses what fezz.json doesn't name: to connect, its `network.connect` must hold the port, \
                    as in `\"network\": {\"connect\": [5432]}`";

/// The hint, if the error or one of its sources is a refusal by the kernel.
pub(crate) fn hint(error: &(dyn StdError + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            return Some(HINT);
        }
        next = error.source();
    }
    None
}
