//! What authors see when they get something wrong: for each mistake a snapshot, in `mistakes/`, of all that `cargo fezz` or
//! the host says. `docs/mistakes.md` explains each. `SNAPSHOTS=overwrite` records them again.

mod building;
mod checking;
mod invoking;
mod page;
mod serving;
mod snapshot;
