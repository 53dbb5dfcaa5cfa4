//! The cost against the size of a body that is sent and returned.

use super::{Curve, CurveError, EXECUTIONS, Plan, Sample};
use crate::function::Function;
use crate::host::Host;
use crate::setup::Setup;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// By default a function may hold half of the host's memory for requests, 128 MiB: 16 bodies of 4 MiB fit, 16 of a
/// manifest's limit, 10 MiB, don't.
const BODIES: [(&str, usize); 6] = [
    ("0", 0),
    ("1 KiB", KIB),
    ("10 KiB", 10 * KIB),
    ("100 KiB", 100 * KIB),
    ("1 MiB", MIB),
    ("4 MiB", 4 * MIB),
];

/// Measures `examples/echo`. Without a body it answers with the request as text.
///
/// # Errors
///
/// See [`CurveError`].
pub fn measure(plan: &Plan) -> Result<Curve, CurveError> {
    let (mut hosts, mut samples) = (Vec::new(), Vec::new());
    for execution in EXECUTIONS {
        let host = Host::start(&plan.build, Setup::strict(execution, &[Function::Echo]))?;
        let executor = execution.name;
        samples.extend(BODIES.map(|(step, bytes)| Sample {
            executor,
            step: step.to_owned(),
            page: host.echo(&format!("{executor}, body of {step}"), bytes),
            idle: None,
        }));
        hosts.push(host);
    }
    let points = plan.measure(samples)?;
    Ok(Curve { title: "body, both ways", step: "body", points })
}
