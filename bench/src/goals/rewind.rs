//! The goals of the executor `rewind`: the reason for which it exists is its speed.

use super::{Bound, Goal, Measured, Unit, ratio, requests};
use crate::peers::wasmtime;
use crate::rewind_run::workload::{C_HELLO, ECHO, JSON_API, ON_LOAD, RUST_HELLO, measurement};
use crate::setup::Execution;
use crate::statistics::median_seconds;

/// Against `fork`, where the same functions run without any change; and against a new instance of WebAssembly for each
/// request, which also leaves nothing in memory.
pub(super) const GOALS: [Goal; 11] = [
    twice("rewind against fork, C hello: requests/s, 16 clients", |measured| fork(measured, C_HELLO)),
    twice("rewind against fork, Rust hello: requests/s, 16 clients", |measured| fork(measured, RUST_HELLO)),
    twice("rewind against fork, JSON API: requests/s, 16 clients", |measured| fork(measured, JSON_API)),
    twice("rewind against fork, 10 KiB echo: requests/s, 16 clients", |measured| fork(measured, ECHO)),
    twice("rewind against fork, 64 MiB on load: requests/s, 16 clients", |measured| fork(measured, ON_LOAD)),
    more("rewind against wasmtime serve, C hello: requests/s, 16 clients", |measured| {
        wasm(measured, C_HELLO)
    }),
    more("rewind against wasmtime serve, Rust hello: requests/s, 16 clients", |measured| {
        wasm(measured, RUST_HELLO)
    }),
    more("rewind against wasmtime serve, 10 KiB echo: requests/s, 16 clients", |measured| {
        wasm(measured, ECHO)
    }),
    no_later("rewind against wasmtime serve, C hello: p50, 1 client", |measured| wasm_p50(measured, C_HELLO)),
    no_later("rewind against wasmtime serve, Rust hello: p50, 1 client", |measured| {
        wasm_p50(measured, RUST_HELLO)
    }),
    no_later("rewind against wasmtime serve, 10 KiB echo: p50, 1 client", |measured| {
        wasm_p50(measured, ECHO)
    }),
];

type Figure = fn(&Measured) -> Option<f64>;

const fn twice(what: &'static str, figure: Figure) -> Goal {
    Goal { what, bound: Bound::AtLeast(2.0), aim: None, unit: Unit::Times, figure }
}

const fn more(what: &'static str, figure: Figure) -> Goal {
    Goal { what, bound: Bound::AtLeast(1.2), aim: None, unit: Unit::Times, figure }
}

const fn no_later(what: &'static str, figure: Figure) -> Goal {
    Goal { what, bound: Bound::AtMost(1.0), aim: None, unit: Unit::Times, figure }
}

fn fork(measured: &Measured, workload: &str) -> Option<f64> {
    requests(measured, 16, &rewind(workload), &measurement(workload, Execution::FORK.name))
}

fn wasm(measured: &Measured, workload: &str) -> Option<f64> {
    requests(measured, 16, &rewind(workload), &measurement(workload, wasmtime::NAME))
}

fn wasm_p50(measured: &Measured, workload: &str) -> Option<f64> {
    ratio(measured, 1, &rewind(workload), &measurement(workload, wasmtime::NAME), median_seconds)
}

fn rewind(workload: &str) -> String {
    measurement(workload, Execution::REWIND.name)
}
