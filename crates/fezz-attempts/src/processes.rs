//! Starting processes and programs. Children end at once. A program that replaces this process writes to the response's
//! descriptor, by which the host knows that it ran.

use crate::attempt::{Attempt, Expected, Variant};
use crate::descriptors;
use crate::files;
use crate::found::Found;
use crate::params::Params;
use crate::sys;
use std::ffi::{CStr, CString};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("clone", "start a process", |_| clone(0)),
    Attempt::new("clone-as-sibling", "start a process whose parent is the host", |_| {
        clone(libc::CLONE_PARENT)
    }),
    Attempt::new("clone-without-signal", "start a process whose end sends no signal", |_| {
        child("clone", sys::call(libc::SYS_clone, &[0]))
    }),
    Attempt::new("clone3", "start a process by clone3", |_| clone3(0)),
    Attempt::new("vfork", "start a process in its own memory", |_| vfork()),
    Attempt::new("start-shell", "start a shell", |_| start(Command::new("/bin/sh").args(["-c", "exit 0"])))
        .needs("/bin/sh"),
    Attempt::new("start-set-uid-program", "start a program with the rights of its owner", |_| {
        start_set_uid()
    })
    .needs("/usr/bin/su"),
    Attempt::new("execute-shell", "execute a shell", |_| {
        execute(c"/bin/sh", &[c"sh", c"-c", c"echo a shell"])
    })
    .expected(Expected::NotReplaced)
    .needs("/bin/sh"),
    Attempt::new("execute-runner", "execute the runner again", |_| execute_runner())
        .expected(Expected::NotReplaced),
    Attempt::new("execute-loader", "execute the dynamic loader", |_| {
        execute(LOADER, &[c"ld.so", c"--version"])
    })
    .expected(Expected::NotReplaced),
    Attempt::new("execute-program-by-loader", "execute a shell through the loader", |_| {
        execute(LOADER, &[c"ld.so", c"/bin/sh", c"-c", c"echo a shell"])
    })
    .expected(Expected::NotReplaced),
    Attempt::new("execute-by-descriptor", "execute a program by its open descriptor", |_| {
        by_descriptor(files::open(LOADER, libc::O_RDONLY).map(Into::into))
    })
    .expected(Expected::NotReplaced),
    Attempt::new(
        "execute-path-only-descriptor",
        "execute a program by a descriptor of its path alone (O_PATH)",
        |_| by_descriptor(files::open(LOADER, libc::O_PATH).map(Into::into)),
    )
    .expected(Expected::NotReplaced),
    Attempt::new("execute-from-memory", "execute a program from its memory", |_| by_descriptor(in_memory()))
        .expected(Expected::NotReplaced),
    Attempt::new("execute-written-file", "execute a program that it wrote", execute_written_file)
        .expected(Expected::NotReplaced),
    Attempt::new("memory-file", "make a file in memory", |_| Found::achieved("memfd_create", memory_file())),
    Attempt::new("executable-memory-file", "make a program in memory", |_| {
        const MFD_EXEC: usize = 0x10;
        Found::achieved("memfd_create", sys::open(libc::SYS_memfd_create, &[sys::at(c"fezz"), MFD_EXEC]))
    }),
    Attempt::again(
        "execute-written-file",
        "execute-file-in-scratch",
        "execute a program that it wrote to its scratch",
    )
    .under(Variant::Scratch)
    .expected(Expected::NotReplaced),
];

#[cfg(target_arch = "x86_64")]
const LOADER: &CStr = c"/lib64/ld-linux-x86-64.so.2";
#[cfg(target_arch = "aarch64")]
const LOADER: &CStr = c"/lib/ld-linux-aarch64.so.1";
#[cfg(target_arch = "riscv64")]
const LOADER: &CStr = c"/lib/ld-linux-riscv64-lp64d.so.1";

/// A child like fork(2)'s, with more `flags`.
pub(crate) fn clone(flags: i32) -> Found {
    child("clone", sys::call(libc::SYS_clone, &[(flags | libc::SIGCHLD) as usize]))
}

/// The same by the newer call, whose arguments a filter can't read.
pub(crate) fn clone3(flags: u64) -> Found {
    const CLONE_PIDFD_AND_BEYOND: usize = 11;
    let mut arguments = [0_u64; CLONE_PIDFD_AND_BEYOND];
    arguments[0] = flags;
    arguments[4] = libc::SIGCHLD as u64;
    child("clone3", sys::call(libc::SYS_clone3, &[sys::at(&arguments), size_of_val(&arguments)]))
}

/// Ends the child, reaps it, and returns whether there was one.
pub(crate) fn child(call: &'static str, made: io::Result<usize>) -> Found {
    match made {
        Ok(0) => exit_now(),
        Ok(pid) => {
            const WAIT_ALL: usize = 0x4000_0000;
            // A sibling is the host's child, and the host reaps it.
            sys::call(libc::SYS_wait4, &[pid, 0, WAIT_ALL, 0]).ok();
            Found::Worked(format!("{call}: a process"))
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Found::NoSuchCall(call),
        Err(error) => Found::Refused(format!("{call}: {}", sys::name(&error))),
    }
}

pub(crate) fn exit_now() -> ! {
    loop {
        sys::call(libc::SYS_exit_group, &[0]).ok();
    }
}

/// A child in this process's memory, on a stack of its own, as posix_spawn(3) makes it.
fn vfork() -> Found {
    extern "C" fn end(_: *mut libc::c_void) -> libc::c_int {
        0
    }
    const STACK_BYTES: usize = 64 * 1024;
    let mut stack = vec![0_u128; STACK_BYTES / size_of::<u128>()];
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let top = stack.as_mut_ptr_range().end.cast();
    // SAFETY: `end` touches nothing but its stack, which is aligned, grows down from `top`, and outlives the child,
    // since the parent sleeps until it is gone.
    let made = unsafe { libc::clone(end, top, flags, std::ptr::null_mut()) };
    let made = if made < 0 { Err(io::Error::last_os_error()) } else { Ok(made as usize) };
    child("clone", made)
}

fn start(command: &mut Command) -> Found {
    Found::achieved("posix_spawn", command.status())
}

/// A set-user-ID program gives privileges only without no_new_privs.
fn start_set_uid() -> Found {
    let started = Command::new("/usr/bin/su").arg("--version").status();
    match sys::call(libc::SYS_prctl, &[libc::PR_GET_NO_NEW_PRIVS as usize, 0, 0, 0, 0]) {
        Ok(1) if started.is_ok() => {
            Found::Refused("su runs, but no_new_privs withholds its rights".to_owned())
        }
        _ => Found::achieved("su --version", started),
    }
}

/// Replaces this process by a program, with the response's descriptor as its stdout.
fn execute(path: &CStr, arguments: &[&CStr]) -> Found {
    respond_by_stdout();
    let arguments = pointers(arguments);
    let failed =
        sys::call(libc::SYS_execve, &[sys::at(path), sys::at(&*arguments), sys::at(&NO_ENVIRONMENT)]);
    Found::achieved("execve", failed)
}

fn by_descriptor(file: io::Result<fs::File>) -> Found {
    let file = match file {
        Ok(file) => file,
        Err(error) => return Found::Refused(format!("its file: {}", sys::name(&error))),
    };
    respond_by_stdout();
    let arguments = pointers(&[c"ld.so", c"--version"]);
    let descriptor = file.as_raw_fd() as usize;
    let failed = sys::call(
        libc::SYS_execveat,
        &[
            descriptor,
            sys::at(c""),
            sys::at(&*arguments),
            sys::at(&NO_ENVIRONMENT),
            libc::AT_EMPTY_PATH as usize,
        ],
    );
    Found::achieved("execveat", failed)
}

static NO_ENVIRONMENT: [usize; 1] = [0];

fn pointers(arguments: &[&CStr]) -> Vec<usize> {
    arguments.iter().map(|argument| sys::at(*argument)).chain([0]).collect()
}

/// The runner's private descriptor is the only pipe beyond the standard three, or the only socket.
fn respond_by_stdout() {
    let is_it = |at: &i32| [Some(libc::S_IFIFO), Some(libc::S_IFSOCK)].contains(&descriptors::kind(*at));
    if let Some(response) = (3..1024).find(is_it) {
        sys::call(libc::SYS_dup3, &[response as usize, 1, 0]).ok();
    }
}

/// The dynamic loader, the one program that is in every jail.
fn execute_runner() -> Found {
    // SAFETY: has no precondition.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    if path.is_null() {
        return Found::Untried("the kernel gave no AT_EXECFN".to_owned());
    }
    // SAFETY: the kernel put a name there that ends in NUL, above the stack (getauxval(3)), and it stays.
    let path = unsafe { CStr::from_ptr(path) };
    execute(path, &[c"fezz-runner", c"--version"])
}

/// A file without a name or a disk.
pub(crate) fn memory_file() -> io::Result<fs::File> {
    const MFD_CLOEXEC: usize = 1;
    sys::open(libc::SYS_memfd_create, &[sys::at(c"fezz"), MFD_CLOEXEC]).map(Into::into)
}

/// A program that never was on a disk.
fn in_memory() -> io::Result<fs::File> {
    let mut file = memory_file()?;
    file.write_all(&fs::read(Path::new(&*LOADER.to_string_lossy()))?)?;
    Ok(file)
}

/// A program that the function itself wrote, wherever it can.
fn execute_written_file(params: &Params<'_>) -> Found {
    let mut last = "no folder can be written".to_owned();
    for folder in ["/tmp", "/dev/shm", "/var/tmp", params.text("open_folder")] {
        let path = Path::new(folder).join(params.text("marker"));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
            file.write_all(&fs::read(Path::new(&*LOADER.to_string_lossy()))?)?;
            drop(file);
            let name = CString::new(path.as_os_str().as_encoded_bytes())?;
            let opened = files::open(&name, libc::O_PATH);
            fs::remove_file(&path)?;
            opened
        };
        match by_descriptor(write().map(Into::into)) {
            Found::Refused(text) => last = format!("{folder}: {text}"),
            worked => return worked,
        }
    }
    Found::Refused(last)
}
