//! The cost against the number of pages that a request writes to, at random places: `fork` copies each of them for its
//! child, `rewind` writes the former content back after the answer.

use super::{Curve, CurveError, Plan, Sample};
use crate::compile::{Product, compile};
use crate::function::Function;
use crate::host::Host;
use crate::program::Program;
use crate::rewind_run::counts;
use crate::setup::{Execution, Setup};

/// Up to a quarter of the pages that `c/dirty.c` has.
const PAGES: [u64; 7] = [0, 1, 10, 30, 100, 300, 1000];

const EXECUTIONS: [Execution; 2] = [Execution::FORK, Execution::REWIND];

const FUNCTION: Function = Function::Dirty;

/// Measures `c/dirty.c`; each point has a host of its own, since a rewound process also puts back the pages of the
/// requests before.
///
/// # Errors
///
/// See [`CurveError`].
pub fn measure(plan: &Plan) -> Result<Curve, CurveError> {
    compile(&Program::Cc.find()?, "dirty.c", Product::Module, plan.build.module(FUNCTION), &[])?;
    let (mut hosts, mut samples) = (Vec::new(), Vec::new());
    for execution in EXECUTIONS {
        for dirty_pages in PAGES {
            let (host, sample) = start(plan, execution, dirty_pages)?;
            hosts.push(host);
            samples.push(sample);
        }
    }
    let mut points = plan.measure(samples)?;
    for (host, point) in hosts.iter().zip(&mut points) {
        point.rewound = counts::read(&host.metrics()?).first().map(counts::RewindCounts::rewound_share);
    }
    Ok(Curve { title: "pages written by each request", step: "pages", points })
}

fn start(plan: &Plan, execution: Execution, dirty_pages: u64) -> Result<(Host, Sample), CurveError> {
    let setup = Setup { dirty_pages, ..Setup::strict(execution, &[FUNCTION]) };
    let host = Host::start(&plan.build, setup)?;
    let (executor, step) = (execution.name, dirty_pages.to_string());
    let page = host.page(&format!("{executor}, {step} pages written"), FUNCTION);
    Ok((host, Sample { executor, step, page, idle: None }))
}
