//! What the tables of attempts consist of.

use crate::found::Found;
use crate::params::Params;

/// An attempt by its name.
pub(crate) type Attempt = (&'static str, fn(&Params<'_>) -> Found);
