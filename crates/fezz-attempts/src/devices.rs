//! Device nodes: opened, and closed again.

use crate::attempt::Attempt;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use crate::sys::{self, HERE};
use std::ffi::{CStr, CString};
use std::io;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("make-device", "make a device node", make_device),
    Attempt::new("open-memory", "open the machine's memory", |_| open(c"/dev/mem", libc::O_RDONLY))
        .needs("/dev/mem"),
    Attempt::new("open-kernel-log", "open the kernel's log", |_| open(c"/dev/kmsg", libc::O_RDONLY))
        .needs("/dev/kmsg"),
    Attempt::new("open-disk", "open a disk", open_disk),
    Attempt::new("open-terminal", "open the terminal of the host", |_| open(c"/dev/tty", libc::O_RDWR))
        .needs("/dev/tty"),
    Attempt::new("open-console", "open the console", |_| open(c"/dev/tty0", libc::O_RDWR)).needs("/dev/tty0"),
    Attempt::new("open-new-terminal", "make a terminal", |_| open(c"/dev/ptmx", libc::O_RDWR))
        .needs("/dev/ptmx"),
    Attempt::new("open-fuse", "open the device for file systems", |_| open(c"/dev/fuse", libc::O_RDWR))
        .needs("/dev/fuse"),
    Attempt::new("open-kvm", "open the device for virtual machines", |_| open(c"/dev/kvm", libc::O_RDWR))
        .needs("/dev/kvm"),
    Attempt::new("open-tunnel", "open the device for networks", |_| open(c"/dev/net/tun", libc::O_RDWR))
        .needs("/dev/net/tun"),
    Attempt::new("open-vsock", "open the device of the hypervisor", |_| open(c"/dev/vsock", libc::O_RDONLY))
        .needs("/dev/vsock"),
    Attempt::new("open-loop-control", "open the device that makes disks of files", |_| {
        open(c"/dev/loop-control", libc::O_RDWR)
    })
    .needs("/dev/loop-control"),
    Attempt::new("open-userfaultfd", "open the device for page faults", |_| {
        open(c"/dev/userfaultfd", libc::O_RDWR)
    })
    .needs("/dev/userfaultfd"),
];

fn open(path: &CStr, flags: i32) -> Found {
    let what = format!("open {}", path.to_string_lossy());
    match files::open(path, flags | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC) {
        // The node exists, but no device.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENODEV | libc::EIO)) => {
            Found::Untried(format!("{what}: {}, there is no such device", sys::name(&error)))
        }
        result => Found::achieved(&what, result),
    }
}

fn open_disk(params: &Params<'_>) -> Found {
    match CString::new(params.text("disk")) {
        Ok(path) if !path.is_empty() => open(&path, libc::O_RDONLY),
        _ => Found::Untried("the check found no disk".to_owned()),
    }
}

/// A node of the null device's numbers, wherever a name can be had; unlinked at once.
fn make_device(params: &Params<'_>) -> Found {
    let mut last = io::Error::from_raw_os_error(libc::ENOENT);
    for folder in ["/tmp", "/dev/shm", "/dev", "/", params.text("open_folder")] {
        let Ok(path) = CString::new(format!("{folder}/{}", params.text("marker"))) else { continue };
        let device = libc::makedev(1, 3);
        match sys::call(
            libc::SYS_mknodat,
            &[HERE, sys::at(path.as_c_str()), (libc::S_IFCHR | 0o600) as usize, device as usize],
        ) {
            Ok(_) => {
                sys::call(libc::SYS_unlinkat, &[HERE, sys::at(path.as_c_str()), 0]).ok();
                return Found::Worked(format!("mknod in {folder}"));
            }
            Err(error) => last = error,
        }
    }
    Found::Refused(format!("mknod: {}", sys::name(&last)))
}
