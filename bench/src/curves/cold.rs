//! The first request to a function after the host's start, and the second.

use super::{CurveError, Plan};
use crate::function::Function;
use crate::host::Host;
use crate::setup::{Execution, Setup};
use crate::statistics::quantile;
use crate::table::Table;
use crate::target::{Interval, Target};
use crate::target_results::milliseconds;
use std::time::Duration;

/// All variants: prewarming should also shorten the first request.
const EXECUTIONS: [(&str, Execution); 3] =
    [("fork", Execution::FORK), ("spawn prewarmed", Execution::SPAWN_PREWARMED), ("spawn", Execution::SPAWN)];

/// In C and in Rust: the larger module takes longer to load.
const FUNCTIONS: [Function; 2] = [Function::HelloC, Function::Hello];

/// Starts hosts one after the other and sends two requests to each. Returns the medians as a table.
///
/// # Errors
///
/// See [`CurveError`].
pub fn measure(plan: &Plan) -> Result<Table, CurveError> {
    let headings = ["executor", "function", "first ms", "slowest first ms", "second ms"];
    let headings = headings.map(str::to_owned).to_vec();
    let mut lines = Vec::new();
    for (name, execution) in EXECUTIONS {
        for function in FUNCTIONS {
            lines.push(line(plan, name, execution, function)?);
        }
    }
    Ok(Table { headings, words: 2, lines })
}

fn line(
    plan: &Plan,
    name: &str,
    execution: Execution,
    function: Function,
) -> Result<Vec<String>, CurveError> {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..plan.starts {
        let host = Host::start(&plan.build, Setup::strict(execution, &[function]))?;
        let page = host.page(name, function);
        first.extend(page.measure(Interval::ONE)?.latencies);
        second.extend(page.measure(Interval::ONE)?.latencies);
    }
    first.sort_unstable();
    second.sort_unstable();
    let median = |latencies: &[Duration]| milliseconds(quantile(latencies, 0.5));
    let slowest = milliseconds(quantile(&first, 1.0));
    Ok(vec![name.to_owned(), function.id().to_owned(), median(&first), slowest, median(&second)])
}
