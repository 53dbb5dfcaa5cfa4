//! The cost against the number of functions of a host, of which one is called.

use super::{Curve, CurveError, EXECUTIONS, Plan, Sample};
use crate::function::Function;
use crate::host::{Host, HostError};
use crate::memory::{Memory, at_rest};
use crate::setup::{Execution, Setup};

const REGISTERED: [usize; 4] = [1, 10, 100, 1000];

/// The smallest module, so that the host's share is largest.
const FUNCTION: Function = Function::HelloC;

/// Measures each point with a host of its own.
///
/// # Errors
///
/// See [`CurveError`].
pub fn measure(plan: &Plan) -> Result<Curve, CurveError> {
    let points = || EXECUTIONS.into_iter().flat_map(|execution| REGISTERED.map(|count| (execution, count)));
    // One host at a time: hosts that run together share the pages of their program.
    let idle = points().map(|(execution, count)| Ok(at_rest(start(plan, execution, count)?.server())));
    let idle = idle.collect::<Result<Vec<Memory>, HostError>>()?;
    let hosts = points().map(|(execution, count)| start(plan, execution, count));
    let hosts = hosts.collect::<Result<Vec<Host>, HostError>>()?;
    let sample = |(((execution, count), host), idle): (((Execution, usize), &Host), Memory)| Sample {
        executor: execution.name,
        step: count.to_string(),
        page: host.page(&format!("{}, {count} functions", execution.name), FUNCTION),
        idle: Some(idle),
    };
    let samples = points().zip(&hosts).zip(idle).map(sample).collect();
    Ok(Curve { title: "functions registered", step: "functions", points: plan.measure(samples)? })
}

fn start(plan: &Plan, execution: Execution, count: usize) -> Result<Host, HostError> {
    Host::start(&plan.build, Setup { copies: count - 1, ..Setup::strict(execution, &[FUNCTION]) })
}
