//! Device nodes.

use crate::check_jail::attempt::Attempt;

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("make-device", "make a device node"),
    Attempt::new("open-memory", "open the machine's memory").needs("/dev/mem"),
    Attempt::new("open-kernel-log", "open the kernel's log").needs("/dev/kmsg"),
    Attempt::new("open-disk", "open a disk"),
    Attempt::new("open-terminal", "open the terminal of the host").needs("/dev/tty"),
    Attempt::new("open-console", "open the console").needs("/dev/tty0"),
    Attempt::new("open-new-terminal", "make a terminal").needs("/dev/ptmx"),
    Attempt::new("open-fuse", "open the device for file systems").needs("/dev/fuse"),
    Attempt::new("open-kvm", "open the device for virtual machines").needs("/dev/kvm"),
    Attempt::new("open-tunnel", "open the device for networks").needs("/dev/net/tun"),
    Attempt::new("open-vsock", "open the device of the hypervisor").needs("/dev/vsock"),
    Attempt::new("open-loop-control", "open the device that makes disks of files").needs("/dev/loop-control"),
    Attempt::new("open-userfaultfd", "open the device for page faults").needs("/dev/userfaultfd"),
];
