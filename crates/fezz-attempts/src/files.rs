//! Files of the host: reading, writing, and ways out of a root.

use crate::attempt::Attempt;
use crate::found::Found;
use crate::params::Params;
use crate::sys::{self, HERE};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("read-bait-0600", "read a file of the host's user that only this user may read", |params| {
        read(params.text("bait_0600"))
    }),
    Attempt::new("read-bait-0644", "read a file of the host that all users may read", |params| {
        read(params.text("bait_0644"))
    }),
    Attempt::new("read-etc-passwd", "read the system's list of users", |_| read("/etc/passwd")),
    Attempt::new("read-etc-shadow", "read the system's passwords", |_| read("/etc/shadow"))
        .needs("/etc/shadow"),
    Attempt::new("read-other-function", "read the manifest of another function", |params| {
        read(params.text("other_function"))
    }),
    Attempt::new("read-through-proc-root", "read a file through /proc/1/root", |params| {
        read(&format!("/proc/1/root{}", params.text("bait_0644")))
    }),
    Attempt::new("read-by-dots", "read a file by a path with `..` out of the working folder", |params| {
        read(&format!("../../../../../../../../..{}", params.text("bait_0644")))
    }),
    Attempt::new(
        "read-by-symbolic-link",
        "read a file through a symbolic link that it made",
        read_by_symbolic_link,
    ),
    Attempt::new("read-by-hard-link", "link to a file that only the host's user may read", read_by_hard_link),
    Attempt::new(
        "read-by-handle",
        "open a file by its inode number, bypassing the folders above it",
        read_by_handle,
    ),
    Attempt::new("list-host-folder", "list a folder of the host", list_host_folder),
    Attempt::new("see-host-root", "find itself in the host's root", see_host_root),
    Attempt::new(
        "leave-root-by-chroot",
        "leave its root by a chroot into a folder of it",
        leave_root_by_chroot,
    ),
    Attempt::new("write-root", "create a file in /", |params| create("/", params)),
    Attempt::new("write-tmp", "create a file in /tmp", |params| create("/tmp", params)),
    Attempt::new("write-var-tmp", "create a file in /var/tmp", |params| create("/var/tmp", params)),
    Attempt::new("write-usr-lib", "create a file among the system's libraries", |params| {
        create("/usr/lib", params)
    }),
    Attempt::new("write-dev-shm", "create a file in the folder of shared memory", |params| {
        create("/dev/shm", params)
    }),
    Attempt::new(
        "write-host-folder",
        "create a file in a folder of the host that all users may write to",
        |params| create(params.text("open_folder"), params),
    ),
    Attempt::new("write-module-folder", "create a file beside its own module", |_| create_beside_module()),
    Attempt::new("write-module", "open its own module for writing", |_| write_module()),
    Attempt::new("change-mode-of-bait", "change the mode of a file of the host", |params| {
        let change = fs::set_permissions(
            params.text("bait_0644"),
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        );
        Found::achieved("chmod", change)
    }),
];

/// Only whether it can be read: the content isn't used.
fn read(path: &str) -> Found {
    let first = || File::open(path)?.read(&mut [0]);
    Found::achieved(&format!("open and read {path}"), first())
}

/// If a jail has made the folders above its module, the folder exists, but without its files.
fn list_host_folder(params: &Params<'_>) -> Found {
    let bait = Path::new(params.text("bait_0600")).file_name().unwrap_or_default();
    let listed = fs::read_dir(params.text("folder"))
        .map(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() == bait)));
    match listed {
        Ok(true) => Found::Worked("the folder lists its files".to_owned()),
        Ok(false) => Found::Refused("a folder of that name is another".to_owned()),
        Err(error) => Found::Refused(format!("readdir: {}", sys::name(&error))),
    }
}

/// Creates a file that is unlinked at once.
fn create(folder: &str, params: &Params<'_>) -> Found {
    let path = Path::new(folder).join(params.text("marker"));
    let created = OpenOptions::new().write(true).create_new(true).open(&path);
    if created.is_ok() {
        fs::remove_file(&path).ok();
    }
    Found::achieved(&format!("create a file in {folder}"), created)
}

fn create_beside_module() -> Found {
    let Some(module) = module() else { return Found::Untried("the module's path is unknown".to_owned()) };
    let path = Path::new(&module).with_file_name("fezz-attempts-was-here");
    let created = OpenOptions::new().write(true).create_new(true).open(&path);
    if created.is_ok() {
        fs::remove_file(&path).ok();
    }
    Found::achieved("create a file beside the module", created)
}

/// Opens the module for writing, and writes nothing.
fn write_module() -> Found {
    let Some(module) = module() else { return Found::Untried("the module's path is unknown".to_owned()) };
    Found::achieved("open the module for writing", OpenOptions::new().append(true).open(module))
}

/// This module's file.
fn module() -> Option<String> {
    origin(module as *const libc::c_void)
}

/// The file that a function comes from, as the loader knows it.
pub(crate) fn origin(function: *const libc::c_void) -> Option<String> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for, and the structure is this function's own.
    let found = unsafe { libc::dladdr(function, info.as_mut_ptr()) };
    // SAFETY: all zeroes are a Dl_info, and dladdr may have filled it.
    let name = unsafe { info.assume_init() }.dli_fname;
    if found == 0 || name.is_null() {
        return None;
    }
    // SAFETY: the loader keeps the name, which ends in NUL, as long as the module is loaded.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    name.to_str().ok().map(str::to_owned)
}

fn read_by_symbolic_link(params: &Params<'_>) -> Found {
    let link = Path::new(params.text("open_folder")).join(params.text("marker"));
    let read = || {
        symlink(params.text("bait_0644"), &link)?;
        File::open(&link)?.read(&mut [0])
    };
    let read = read();
    fs::remove_file(&link).ok();
    Found::achieved("read through a symbolic link", read)
}

fn read_by_hard_link(params: &Params<'_>) -> Found {
    let link = Path::new(params.text("open_folder")).join(params.text("marker"));
    let linked = fs::hard_link(params.text("bait_0600"), &link);
    fs::remove_file(&link).ok();
    Found::achieved("link", linked)
}

/// Opens a file by its inode number, bypassing the folders above it (open_by_handle_at(2)): a known escape from early
/// containers.
fn read_by_handle(params: &Params<'_>) -> Found {
    const INODE_AND_GENERATION: u32 = 1;
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: u32,
        inode: u32,
        generation: u32,
    }
    let inode = params.number("bait_inode") as u32;
    let handle = Handle { bytes: 8, kind: INODE_AND_GENERATION, inode, generation: 0 };
    let root = match File::open("/") {
        Ok(root) => root,
        Err(error) => return Found::Refused(format!("open /: {}", sys::name(&error))),
    };
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&root) as usize;
    let answer = sys::call(libc::SYS_open_by_handle_at, &[descriptor, sys::at(&handle), 0]);
    crate::probe::judge("open_by_handle_at", answer)
}

fn is_host_root(params: &Params<'_>, path: &str) -> io::Result<bool> {
    let root = fs::metadata(path)?;
    Ok((root.dev() as usize, root.ino() as usize)
        == (params.number("root_device"), params.number("root_inode")))
}

fn see_host_root(params: &Params<'_>) -> Found {
    match is_host_root(params, "/") {
        Ok(true) => Found::achieved("list the host's root", fs::read_dir("/")),
        Ok(false) => Found::Refused("the root is another".to_owned()),
        Err(error) => Found::Refused(format!("stat /: {}", sys::name(&error))),
    }
}

/// A chroot inside the root, out of which `..` leads up to the real root (chroot(2)).
fn leave_root_by_chroot(params: &Params<'_>) -> Found {
    let climb = || -> io::Result<bool> {
        let above = File::open("/")?;
        sys::call(libc::SYS_chroot, &[sys::at(c"/usr")])?;
        sys::call(libc::SYS_fchdir, &[std::os::fd::AsRawFd::as_raw_fd(&above) as usize])?;
        for _ in 0..16 {
            std::env::set_current_dir("..")?;
        }
        sys::call(libc::SYS_chroot, &[sys::at(c".")])?;
        is_host_root(params, "/")
    };
    match climb() {
        Ok(true) => Found::Worked("chroot, and out again into the host's root".to_owned()),
        Ok(false) => Found::Worked("chroot".to_owned()),
        Err(error) => Found::Refused(format!("chroot: {}", sys::name(&error))),
    }
}

/// Opens a file by a path in C's own form, for the other themes.
pub(crate) fn open(path: &std::ffi::CStr, flags: i32) -> io::Result<std::os::fd::OwnedFd> {
    sys::open(libc::SYS_openat, &[HERE, sys::at(path), flags as usize, 0o600])
}
