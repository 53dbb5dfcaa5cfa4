//! What `rewind` is measured with, beside `fork` and, where there is a component that does the same, `wasmtime serve`.

use crate::function::Function;
use crate::host::Host;
use crate::http::Page;
use crate::peers::{Peer, PeerError, wasmtime};
use crate::target::{Interval, Target};

/// A function and its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// The name in the table.
    pub name: &'static str,
    /// The function.
    pub function: Function,
    /// The length of the request's body.
    body_bytes: usize,
    /// Whether the component of `wasm/` does the same.
    is_in_wasm: bool,
    /// Whether it is measured with a runtime for each processor, too.
    pub(super) is_per_core: bool,
}

/// The smallest in C.
pub const C_HELLO: &str = "C hello";
/// The smallest in Rust.
pub const RUST_HELLO: &str = "Rust hello";
/// Routes and serde.
pub const JSON_API: &str = "JSON API";
/// More memory is written to: request, answer, and what lies between.
pub const ECHO: &str = "10 KiB echo";
/// A large snapshot, of which a request changes little.
pub const ON_LOAD: &str = "64 MiB on load";

/// What the function of [`ON_LOAD`] touches.
pub(super) const TOUCHED_MIB: u64 = 64;

/// All workloads.
pub(super) const WORKLOADS: [Workload; 5] = [
    Workload {
        name: C_HELLO,
        function: Function::HelloC,
        body_bytes: 0,
        is_in_wasm: true,
        is_per_core: true,
    },
    Workload {
        name: RUST_HELLO,
        function: Function::Hello,
        body_bytes: 0,
        is_in_wasm: true,
        is_per_core: false,
    },
    Workload {
        name: JSON_API,
        function: Function::Todos,
        body_bytes: 0,
        is_in_wasm: false,
        is_per_core: false,
    },
    Workload {
        name: ECHO,
        function: Function::Echo,
        body_bytes: 10 * 1024,
        is_in_wasm: true,
        is_per_core: true,
    },
    Workload {
        name: ON_LOAD,
        function: Function::Touch,
        body_bytes: 0,
        is_in_wasm: false,
        is_per_core: false,
    },
];

/// The name of a workload's measurements on one target.
pub fn measurement(workload: &str, target: &str) -> String {
    format!("{workload}: {target}")
}

impl Workload {
    /// A target that calls it on this host.
    pub(super) fn page(&self, host: &Host, executor: &str) -> Page {
        self.send(host.page(&measurement(self.name, executor), self.function))
    }

    /// The same by `wasmtime serve`; `None` where that isn't installed, or has a component that doesn't answer so.
    pub(super) fn wasmtime(&self) -> Result<Option<(Peer, Page)>, PeerError> {
        if !self.is_in_wasm {
            return Ok(None);
        }
        let peer = match wasmtime::start(self.function) {
            Err(PeerError::Missing(missing)) => {
                eprintln!("bench: {} is left out: {missing}", measurement(self.name, wasmtime::NAME));
                return Ok(None);
            }
            peer => peer?,
        };
        let page = self.send(peer.page(&measurement(self.name, wasmtime::NAME), self.function, 0));
        // A component that was built before it could echo.
        if let Err(error) = page.measure(Interval::ONE) {
            eprintln!("bench: {} is left out; `scripts/install-bench-peers wasmtime`: {error}", page.name);
            return Ok(None);
        }
        Ok(Some((peer, page)))
    }

    fn send(&self, page: Page) -> Page {
        if self.body_bytes == 0 { page } else { page.with_body(self.body_bytes) }
    }
}
