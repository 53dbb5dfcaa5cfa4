//! The cost against the memory that a module touches while it loads: `fork` shares it with each child, `spawn`
//! allocates it again for each request.

use super::{Curve, CurveError, EXECUTIONS, Plan, Sample};
use crate::compile::{Product, compile};
use crate::function::Function;
use crate::host::Host;
use crate::program::Program;
use crate::setup::{Execution, Setup};

const TOUCHED_MIB: [u64; 5] = [1, 4, 16, 64, 256];

const FUNCTION: Function = Function::Touch;

/// Measures `c/touch.c`; each point has a host of its own.
///
/// # Errors
///
/// See [`CurveError`].
pub fn measure(plan: &Plan) -> Result<Curve, CurveError> {
    compile(&Program::Cc.find()?, "touch.c", Product::Module, plan.build.module(FUNCTION), &[])?;
    let (mut hosts, mut samples) = (Vec::new(), Vec::new());
    for execution in EXECUTIONS {
        for touch_mib in TOUCHED_MIB {
            let (host, sample) = start(plan, execution, touch_mib)?;
            hosts.push(host);
            samples.push(sample);
        }
    }
    let points = plan.measure(samples)?;
    Ok(Curve { title: "memory touched on load, MiB", step: "MiB", points })
}

fn start(plan: &Plan, execution: Execution, touch_mib: u64) -> Result<(Host, Sample), CurveError> {
    let setup = Setup { touch_mib, ..Setup::strict(execution, &[FUNCTION]) };
    let host = Host::start(&plan.build, setup)?;
    let (executor, step) = (execution.name, touch_mib.to_string());
    let page = host.page(&format!("{executor}, {step} MiB touched"), FUNCTION);
    Ok((host, Sample { executor, step, page, idle: None }))
}
