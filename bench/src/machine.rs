//! What a run ran on: without it, its figures say nothing.

use std::fs;
use std::process::Command;

/// Processor, memory, kernel and compiler, in a line.
pub fn describe() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let gigabytes = field("/proc/meminfo", "MemTotal").and_then(|total| kibibytes(&total));
    let memory = gigabytes.map_or_else(String::new, |kib| format!(", {:.0} GB", kib as f64 * 1024.0 / 1e9));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let rustc = Command::new("rustc").arg("--version").output().ok();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let user = if rustix::process::geteuid().is_root() { "root" } else { "an ordinary user" };
    let rustc = rustc.unwrap_or_default();
    format!("{processors} processors ({model}){memory}, Linux {}, {rustc}, as {user}", kernel.trim())
}

/// The value of the first line `name : value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix(" kB")?.trim().parse().ok()
}
