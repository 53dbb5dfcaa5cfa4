//! A program of the author's own: which interpreter it needs, and why it can't be executed.
//!
//! Only what must be known before the jail is closed is read here, as the jail's own user: the first line of a script,
//! which names a file to show. The kernel reads the rest.

use rustix::fs::{Access, Mode, OFlags, StatVfsMountFlags, access, open, statvfs};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a program can't be executed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The first line of a script doesn't name a program of the system.
    #[error(
        "failed to use `{}` as the interpreter: name a program of {} by its whole path, in a first line of at most \
         {FIRST_LINE_BYTES_MAX} bytes, for instance `#!/usr/bin/python3`", path.display(), INTERPRETERS.join(" or ")
    )]
    Interpreter { path: PathBuf },
    /// A script begins with `#!/usr/bin/env`.
    #[error(
        "failed to use `{}`: it would execute a second program, and one is allowed; name the interpreter itself in \
         the first line, for instance `#!/usr/bin/python3`", path.display()
    )]
    Env { path: PathBuf },
    /// It begins like a program, of another kind of processor.
    #[error(
        "failed to execute the program: it is for another processor; build it for {}",
        std::env::consts::ARCH
    )]
    Processor,
    /// execve(2) failed, or would.
    #[error("failed to execute the program: {}", fix(*.0, *.1))]
    Execute(#[source] Errno, Obstacle),
    /// Its arguments can't be placed in memory.
    #[error("failed to place the program's arguments in memory")]
    Arguments(#[source] Errno),
}

/// What is known to prevent a program's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing.
    Unknown,
    /// Its file system is mounted noexec.
    NoExec,
}

fn fix(error: Errno, obstacle: Obstacle) -> &'static str {
    match error {
        Errno::ACCESS | Errno::PERM if obstacle == Obstacle::NoExec => {
            "its file system is mounted noexec: choose a folder on another one (--modules of hhrf)"
        }
        Errno::ACCESS | Errno::PERM => {
            "it isn't executable for every user, or its interpreter isn't: chmod 755, on the folders above it too"
        }
        Errno::NOENT => {
            "its interpreter isn't in the jail: install it in one of the system's folders (for a script its first line \
             names it; for a binary, the loader of the system's C library does)"
        }
        Errno::NOEXEC => "it is neither a binary for this system nor a script that begins with `#!`",
        Errno::TOOBIG => "its variables are too long: one may have 128 KiB (execve(2))",
        Errno::NOMEM => "there is too little memory: raise `limits.memory_bytes`",
        Errno::AGAIN => "this user has as many processes as it may: raise the limit (RLIMIT_NPROC)",
        Errno::TXTBSY => "a process has it open for writing: end that process",
        _ => "see execve(2)",
    }
}

/// The folders whose programs a script may name. No others: the interpreter is shown in the jail, and what else lies on
/// the host is none of a function's business.
const INTERPRETERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];

/// As the kernel reads it (execve(2)).
const FIRST_LINE_BYTES_MAX: usize = 256;

/// The interpreter that a script names in its first line; `None` for a binary, or for a file that this user may only
/// execute, which a script can't be.
///
/// # Errors
///
/// The interpreter isn't one of the system's programs; or the file is a binary for another processor.
pub(crate) fn interpreter(program: &Path) -> Result<Option<PathBuf>, ProgramError> {
    let Ok(file) = open(program, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else { return Ok(None) };
    let mut first = [0; FIRST_LINE_BYTES_MAX];
    let length = rustix::io::read(&file, &mut first).unwrap_or(0);
    named_in(&first[..length])
}

fn named_in(first: &[u8]) -> Result<Option<PathBuf>, ProgramError> {
    if is_of_another_processor(first) {
        return Err(ProgramError::Processor);
    }
    let Some(line) = first.strip_prefix(b"#!") else { return Ok(None) };
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = line.split(is_blank).find(|word| !word.is_empty()).unwrap_or_default();
    let path = PathBuf::from(OsStr::from_bytes(name));
    let is_whole = first.contains(&b'\n');
    let is_of_system =
        path.parent().is_some_and(|folder| INTERPRETERS.iter().any(|known| folder == Path::new(known)));
    match path.file_name() {
        Some(name) if name == "env" && is_of_system => Err(ProgramError::Env { path }),
        Some(_) if is_whole && is_of_system => Ok(Some(path)),
        _ => Err(ProgramError::Interpreter { path }),
    }
}

/// Whether an ELF header (elf(5)) names another machine than this one. Without this check, the kernel would execute a
/// binary for 32 bits, and the filter kill it at its first system call.
fn is_of_another_processor(first: &[u8]) -> bool {
    const CLASS_AT: usize = 4;
    const MACHINE_AT: usize = 18;
    const MACHINE: u16 = if cfg!(target_arch = "x86_64") { libc::EM_X86_64 } else { libc::EM_AARCH64 };
    let Some(machine) = first.get(MACHINE_AT..MACHINE_AT + 2) else { return false };
    first.starts_with(b"\x7fELF") && (first[CLASS_AT] != libc::ELFCLASS64 || machine != MACHINE.to_le_bytes())
}

/// Checks, before the filter refuses to ask, that the program's mode and mount allow to execute it.
///
/// # Errors
///
/// [`ProgramError::Execute`].
pub(crate) fn check(program: &Path) -> Result<(), ProgramError> {
    let Err(error) = access(program, Access::EXEC_OK) else { return Ok(()) };
    let is_noexec = statvfs(program).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::NOEXEC));
    Err(ProgramError::Execute(error, if is_noexec { Obstacle::NoExec } else { Obstacle::Unknown }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_interpreter_as_the_kernel_reads_it() {
        let python = || Ok(Some(PathBuf::from("/usr/bin/python3")));
        for line in
            ["#!/usr/bin/python3\n", "#! \t/usr/bin/python3 -I -S\nx", "#!/usr/bin/python3\t\nprint(1)\n"]
        {
            assert_eq!(named_in(line.as_bytes()), python(), "{line:?}");
        }
        let binary = std::fs::read("/proc/self/exe").unwrap();
        for none in [&b""[..], b"#", b"text\n#!/usr/bin/python3\n", &binary[..FIRST_LINE_BYTES_MAX]] {
            assert_eq!(named_in(none), Ok(None));
        }
    }

    #[test]
    fn an_interpreter_outside_of_the_systems_folders_is_refused() {
        let long = format!("#!/usr/bin/{}", "x".repeat(FIRST_LINE_BYTES_MAX));
        let of_long = format!("/usr/bin/{}", "x".repeat(FIRST_LINE_BYTES_MAX - "#!/usr/bin/".len()));
        for (line, path) in [
            ("#!/home/ada/secret\n", "/home/ada/secret"),
            ("#!python3\n", "python3"),
            ("#!/usr/bin/../../etc/shadow\n", "/usr/bin/../../etc/shadow"),
            ("#!/usr/bin\n", "/usr/bin"),
            ("#!\n", ""),
            ("#!/usr/bin/python3", "/usr/bin/python3"),
            (&long[..FIRST_LINE_BYTES_MAX], &of_long),
        ] {
            let expected = Err(ProgramError::Interpreter { path: path.into() });
            assert_eq!(named_in(line.as_bytes()), expected, "{line:?}");
        }
        let env = Err(ProgramError::Env { path: "/usr/bin/env".into() });
        assert_eq!(named_in(b"#!/usr/bin/env python3\n"), env);
    }

    #[test]
    fn a_binary_for_another_processor_or_for_32_bits_is_recognised() {
        let mut header = std::fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        assert_eq!(named_in(&header), Ok(None));
        header[18..20].copy_from_slice(&libc::EM_RISCV.to_le_bytes());
        assert_eq!(named_in(&header), Err(ProgramError::Processor));
        // x32: the same machine, with addresses of 32 bits.
        header[18..20].copy_from_slice(&libc::EM_X86_64.to_le_bytes());
        header[4] = libc::ELFCLASS32;
        assert_eq!(named_in(&header), Err(ProgramError::Processor));
    }
}
