//! A description of the machine, without which the figures of a run mean nothing.

use std::fs;
use std::process::Command;

/// Processor, memory, kernel and compiler in one line, as far as they are known.
pub fn describe() -> String {
    let user = if rustix::process::geteuid().is_root() { "as root" } else { "as an ordinary user" };
    let parts = [processors(), memory(), kernel(), compiler(), Some(user.to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn processors() -> Option<String> {
    let count = std::thread::available_parallelism().ok()?;
    Some(format!("{count} processors ({})", field("/proc/cpuinfo", "model name")?))
}

fn memory() -> Option<String> {
    let kibibytes: f64 = field("/proc/meminfo", "MemTotal")?.strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{:.0} GB", kibibytes * 1024.0 / 1e9))
}

fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("Linux {}", release.trim()))
}

fn compiler() -> Option<String> {
    let output = Command::new("rustc").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The value of the first line `name : value`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}
