//! /proc and /sys: other processes, and the kernel's settings, which are opened and not changed.

use crate::attempt::Attempt;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::unix::fs::FileTypeExt;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("see-victim", |params| of_process("victim", "status", params, libc::O_RDONLY)),
    ("see-host", |params| of_process("host", "status", params, libc::O_RDONLY)),
    ("read-hosts-command-line", |params| of_process("host", "cmdline", params, libc::O_RDONLY)),
    ("read-hosts-maps", |params| of_process("host", "maps", params, libc::O_RDONLY)),
    ("enter-hosts-folder", |params| of_process("host", "cwd/.", params, libc::O_RDONLY)),
    ("open-hosts-descriptors", |params| of_process("host", "fd", params, libc::O_RDONLY)),
    ("change-victims-oom-score", |params| of_process("victim", "oom_score_adj", params, libc::O_WRONLY)),
    ("list-processes", |_| Found::achieved("list /proc", std::fs::read_dir("/proc"))),
    ("write-proc-sys-core-pattern", |_| open(c"/proc/sys/kernel/core_pattern", libc::O_WRONLY)),
    ("write-proc-sys-modprobe", |_| open(c"/proc/sys/kernel/modprobe", libc::O_WRONLY)),
    ("write-proc-sysrq-trigger", |_| open(c"/proc/sysrq-trigger", libc::O_WRONLY)),
    ("read-kernel-symbols", |_| open(c"/proc/kallsyms", libc::O_RDONLY)),
    ("read-kernel-memory", |_| open(c"/proc/kcore", libc::O_RDONLY)),
    ("read-kernel-keys", |_| open(c"/proc/keys", libc::O_RDONLY)),
    ("read-mounts", |_| open(c"/proc/self/mountinfo", libc::O_RDONLY)),
    ("write-own-uid-map", |_| open(c"/proc/self/uid_map", libc::O_WRONLY)),
    ("list-sys", |_| Found::achieved("list /sys", std::fs::read_dir("/sys"))),
    ("write-sys-power-state", |_| open(c"/sys/power/state", libc::O_WRONLY)),
    ("write-cgroup", |_| open(c"/sys/fs/cgroup/cgroup.procs", libc::O_WRONLY)),
    ("read-debugfs", |_| open(c"/sys/kernel/debug", libc::O_RDONLY)),
];

fn open(path: &CStr, flags: i32) -> Found {
    let opened = files::open(path, flags).map(File::from);
    let path = path.to_string_lossy();
    match &opened {
        // No file of /proc or /sys is a device.
        Ok(file) if is_device(file) => Found::Untried(format!("a container hides {path} by a device")),
        _ => Found::achieved(&format!("open {path}"), opened),
    }
}

fn is_device(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.file_type().is_char_device())
}

fn of_process(who: &str, what: &str, params: &Params<'_>, flags: i32) -> Found {
    let pid = params.number(who);
    if pid == std::process::id() as usize {
        return Found::Refused("the number is this process's own: another PID namespace".to_owned());
    }
    match CString::new(format!("/proc/{pid}/{what}")) {
        Ok(path) => open(&path, flags),
        Err(_) => Found::Untried("the path has a NUL".to_owned()),
    }
}
