//! /proc and /sys: other processes, and the kernel's settings.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("see-victim", "see another process of the host's user"),
    Attempt::new("see-host", "see the host's process"),
    Attempt::new("read-hosts-command-line", "read the host's command line"),
    Attempt::new("read-hosts-maps", "read where the host's memory lies"),
    Attempt::new("enter-hosts-folder", "open the host's working folder"),
    Attempt::new("open-hosts-descriptors", "list the host's open files"),
    Attempt::new("change-victims-oom-score", "choose which process is killed when memory is short"),
    Attempt::new("list-processes", "list the processes"),
    Attempt::new("write-proc-sys-core-pattern", "open the setting that names a program to be run at a crash")
        .needs("/proc/sys/kernel/core_pattern"),
    Attempt::new("write-proc-sys-modprobe", "open the setting that names the loader of kernel modules")
        .needs("/proc/sys/kernel/modprobe"),
    Attempt::new("write-proc-sysrq-trigger", "open the trigger of the kernel's emergency commands")
        .needs("/proc/sysrq-trigger"),
    Attempt::new("read-kernel-symbols", "read the kernel's symbols").needs("/proc/kallsyms"),
    Attempt::new("read-kernel-memory", "open the kernel's memory").needs("/proc/kcore"),
    Attempt::new("read-kernel-keys", "read the list of the kernel's keys").needs("/proc/keys"),
    Attempt::new("read-mounts", "read the list of mounts"),
    Attempt::new("write-own-uid-map", "open the map of its user ids"),
    Attempt::new("list-sys", "list the devices and modules of the kernel").needs("/sys/kernel"),
    Attempt::new("write-sys-power-state", "open the switch that puts the machine to sleep")
        .needs("/sys/power/state"),
    Attempt::new("write-cgroup", "open the list by which processes change their cgroup")
        .needs("/sys/fs/cgroup/cgroup.procs"),
    Attempt::new("read-debugfs", "open the kernel's folder for debugging").needs("/sys/kernel/debug"),
];
