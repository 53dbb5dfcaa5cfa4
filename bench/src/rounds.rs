//! Alternates the contenders: whatever else the machine does meets all of them alike, and a ratio within a round means
//! something even where the figures themselves drift.

use crate::contender::{Contender, ContenderError};
use std::time::{Duration, Instant};

/// What one contender did in one round.
#[derive(Debug, Clone, Default)]
pub struct Slice {
    /// How long each request took, sorted.
    pub latencies: Vec<Duration>,
    /// From the first request's start to the last one's end.
    pub elapsed: Duration,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often each contender has its turn.
    pub rounds: usize,
    /// How long a turn is.
    pub turn: Duration,
    /// Clients at a time.
    pub concurrency: usize,
}

/// Measures: for each contender one slice a round.
///
/// # Errors
///
/// The first request that failed.
pub fn measure(plan: Plan, contenders: &[&dyn Contender]) -> Result<Vec<Vec<Slice>>, ContenderError> {
    /// Unmeasured, before each turn: what the one before leaves behind (ending processes, namespaces that the kernel
    /// takes apart later, cold caches) isn't this one's price.
    const WARM_UP: Duration = Duration::from_millis(50);
    let mut slices = vec![Vec::with_capacity(plan.rounds); contenders.len()];
    for round in 0..plan.rounds {
        for step in 0..contenders.len() {
            // Each is first, and last, as often as the others.
            let at = (round + step) % contenders.len();
            turn(Plan { turn: WARM_UP, ..plan }, contenders[at])?;
            slices[at].push(turn(plan, contenders[at])?);
        }
    }
    Ok(slices)
}

fn turn(plan: Plan, contender: &dyn Contender) -> Result<Slice, ContenderError> {
    let clients = (0..plan.concurrency).map(|_| contender.client()).collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    let run = |mut client: crate::contender::Client| {
        let mut latencies = Vec::new();
        while begun.elapsed() < plan.turn {
            let sent = Instant::now();
            client()?;
            latencies.push(sent.elapsed());
        }
        Ok(latencies)
    };
    let results: Vec<Result<Vec<Duration>, ContenderError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = clients.into_iter().map(|client| scope.spawn(|| run(client))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a client never panics")).collect()
    });
    let elapsed = begun.elapsed();
    let mut latencies = results.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    latencies.sort_unstable();
    Ok(Slice { latencies, elapsed })
}
