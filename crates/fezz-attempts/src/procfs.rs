//! /proc and /sys: other processes, and the kernel's settings, which are opened and not changed.

use crate::attempt::Attempt;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::unix::fs::FileTypeExt;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("see-victim", "see another process of the host's user", |params| {
        of_process("victim", "status", params, libc::O_RDONLY)
    }),
    Attempt::new("see-host", "see the host's process", |params| {
        of_process("host", "status", params, libc::O_RDONLY)
    }),
    Attempt::new("read-hosts-command-line", "read the host's command line", |params| {
        of_process("host", "cmdline", params, libc::O_RDONLY)
    }),
    Attempt::new("read-hosts-maps", "read where the host's memory lies", |params| {
        of_process("host", "maps", params, libc::O_RDONLY)
    }),
    Attempt::new("enter-hosts-folder", "open the host's working folder", |params| {
        of_process("host", "cwd/.", params, libc::O_RDONLY)
    }),
    Attempt::new("open-hosts-descriptors", "list the host's open files", |params| {
        of_process("host", "fd", params, libc::O_RDONLY)
    }),
    Attempt::new(
        "change-victims-oom-score",
        "choose which process is killed when memory is short",
        |params| of_process("victim", "oom_score_adj", params, libc::O_WRONLY),
    ),
    Attempt::new("list-processes", "list the processes", |_| {
        Found::achieved("list /proc", std::fs::read_dir("/proc"))
    }),
    Attempt::new(
        "write-proc-sys-core-pattern",
        "open the setting that names a program to be run at a crash",
        |_| open(c"/proc/sys/kernel/core_pattern", libc::O_WRONLY),
    )
    .needs("/proc/sys/kernel/core_pattern"),
    Attempt::new(
        "write-proc-sys-modprobe",
        "open the setting that names the loader of kernel modules",
        |_| open(c"/proc/sys/kernel/modprobe", libc::O_WRONLY),
    )
    .needs("/proc/sys/kernel/modprobe"),
    Attempt::new("write-proc-sysrq-trigger", "open the trigger of the kernel's emergency commands", |_| {
        open(c"/proc/sysrq-trigger", libc::O_WRONLY)
    })
    .needs("/proc/sysrq-trigger"),
    Attempt::new("read-kernel-symbols", "read the kernel's symbols", |_| {
        open(c"/proc/kallsyms", libc::O_RDONLY)
    })
    .needs("/proc/kallsyms"),
    Attempt::new("read-kernel-memory", "open the kernel's memory", |_| open(c"/proc/kcore", libc::O_RDONLY))
        .needs("/proc/kcore"),
    Attempt::new("read-kernel-keys", "read the list of the kernel's keys", |_| {
        open(c"/proc/keys", libc::O_RDONLY)
    })
    .needs("/proc/keys"),
    Attempt::new("read-mounts", "read the list of mounts", |_| open(c"/proc/self/mountinfo", libc::O_RDONLY)),
    Attempt::new("write-own-uid-map", "open the map of its user ids", |_| {
        open(c"/proc/self/uid_map", libc::O_WRONLY)
    }),
    Attempt::new("list-sys", "list the devices and modules of the kernel", |_| {
        Found::achieved("list /sys", std::fs::read_dir("/sys"))
    })
    .needs("/sys/kernel"),
    Attempt::new("write-sys-power-state", "open the switch that puts the machine to sleep", |_| {
        open(c"/sys/power/state", libc::O_WRONLY)
    })
    .needs("/sys/power/state"),
    Attempt::new("write-cgroup", "open the list by which processes change their cgroup", |_| {
        open(c"/sys/fs/cgroup/cgroup.procs", libc::O_WRONLY)
    })
    .needs("/sys/fs/cgroup/cgroup.procs"),
    Attempt::new("read-debugfs", "open the kernel's folder for debugging", |_| {
        open(c"/sys/kernel/debug", libc::O_RDONLY)
    })
    .needs("/sys/kernel/debug"),
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
