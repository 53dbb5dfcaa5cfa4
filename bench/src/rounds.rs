//! Alternates the targets, so that other load on the machine affects all of them alike. A ratio within a round is
//! meaningful even if the figures drift.

use crate::target::{Interval, MeasureError, Slice, Target};
use std::time::Duration;

/// Measures one slice per target and round.
///
/// # Errors
///
/// The first request that failed.
pub fn measure(
    rounds: usize,
    interval: Interval,
    targets: &[&dyn Target],
) -> Result<Vec<Vec<Slice>>, MeasureError> {
    /// An interval that isn't counted, before each one that is: the previous target's leftovers (ending processes,
    /// namespaces that the kernel dismantles later, cold caches) must not count for this target.
    const WARM_UP: Duration = Duration::from_millis(50);
    let mut slices = vec![Vec::with_capacity(rounds); targets.len()];
    for round in 0..rounds {
        for step in 0..targets.len() {
            // Rotated, so that each target is first and last equally often.
            let at = (round + step) % targets.len();
            targets[at].measure(Interval { duration: WARM_UP, ..interval })?;
            slices[at].push(targets[at].measure(interval)?);
        }
    }
    Ok(slices)
}
