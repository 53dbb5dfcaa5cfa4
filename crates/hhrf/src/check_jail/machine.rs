//! What this machine lacks: an attempt that needs it proves nothing.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// What is known of the kernel.
#[derive(Debug)]
pub(super) struct Machine {
    /// Its functions; `None` if it doesn't list them.
    functions: Option<HashSet<String>>,
}

/// Calls that every kernel lists, but that only work if it also has another function.
const STUBS: [(&str, &str); 3] =
    [("iopl", "io_bitmap_share"), ("ioperm", "io_bitmap_share"), ("x32", "x32_sys_call")];

impl Machine {
    /// Reads the kernel's symbols. A call that was left out of the build is listed too, but weak (`W`): it returns
    /// ENOSYS.
    pub(super) fn look() -> Self {
        let symbols = fs::read_to_string("/proc/kallsyms").ok();
        let strong = |line: &str| Some(line.split_once(" T ")?.1.split_whitespace().next()?.to_owned());
        let functions = symbols.map(|symbols| symbols.lines().filter_map(strong).collect::<HashSet<_>>());
        Self { functions: functions.filter(|functions| !functions.is_empty()) }
    }

    /// Whether the kernel has the call: `None` if it doesn't list its functions.
    pub(super) fn has_call(&self, call: &str) -> Option<bool> {
        const PREFIXES: [&str; 3] = ["__x64_sys_", "__arm64_sys_", "__riscv_sys_"];
        let functions = self.functions.as_ref()?;
        if let Some((_, function)) = STUBS.iter().find(|(stub, _)| *stub == call) {
            return Some(functions.contains(*function));
        }
        Some(PREFIXES.iter().any(|prefix| functions.contains(&format!("{prefix}{call}"))))
    }

    /// Whether a file, or a device, exists.
    pub(super) fn has_file(&self, path: &str) -> bool {
        Path::new(path).exists()
    }
}
