//! The crate against real processes: forks of the test, which park as `fezz_wire::rewind` says and write on order.

mod child;
mod measure;
mod restore;

use child::{Arena, Child, Order};
