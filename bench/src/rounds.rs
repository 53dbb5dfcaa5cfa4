//! Alternates the contenders: whatever else the machine does meets all of them alike, and a ratio within a round means
//! something even where the figures themselves drift.

use crate::contender::{Contender, ContenderError, Slice, Turn};
use std::time::Duration;

/// Measures: for each contender one slice a round.
///
/// # Errors
///
/// The first request that failed.
pub fn measure(
    rounds: usize,
    turn: Turn,
    contenders: &[&dyn Contender],
) -> Result<Vec<Vec<Slice>>, ContenderError> {
    /// Unmeasured, before each turn: what the one before leaves behind (ending processes, namespaces that the kernel
    /// takes apart later, cold caches) isn't this one's price.
    const WARM_UP: Duration = Duration::from_millis(50);
    let mut slices = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        for step in 0..contenders.len() {
            // Each is first, and last, as often as the others.
            let at = (round + step) % contenders.len();
            contenders[at].turn(Turn { duration: WARM_UP, ..turn })?;
            slices[at].push(contenders[at].turn(turn)?);
        }
    }
    Ok(slices)
}
