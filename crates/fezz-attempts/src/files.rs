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
    ("read-bait-0600", |params| read(params.text("bait_0600"))),
    ("read-bait-0644", |params| read(params.text("bait_0644"))),
    ("read-etc-passwd", |_| read("/etc/passwd")),
    ("read-etc-shadow", |_| read("/etc/shadow")),
    ("read-other-function", |params| read(params.text("other_function"))),
    ("read-through-proc-root", |params| read(&format!("/proc/1/root{}", params.text("bait_0644")))),
    ("read-by-dots", |params| read(&format!("../../../../../../../../..{}", params.text("bait_0644")))),
    ("read-by-symbolic-link", read_by_symbolic_link),
    ("read-by-hard-link", read_by_hard_link),
    ("read-by-handle", read_by_handle),
    ("list-host-folder", list_host_folder),
    ("see-host-root", see_host_root),
    ("leave-root-by-chroot", leave_root_by_chroot),
    ("write-root", |params| create("/", params)),
    ("write-tmp", |params| create("/tmp", params)),
    ("write-var-tmp", |params| create("/var/tmp", params)),
    ("write-usr-lib", |params| create("/usr/lib", params)),
    ("write-dev-shm", |params| create("/dev/shm", params)),
    ("write-host-folder", |params| create(params.text("open_folder"), params)),
    ("write-module-folder", |_| create_beside_module()),
    ("write-module", |_| write_module()),
    ("change-mode-of-bait", |params| {
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
