//! A program of the author's own (`binary`), read as data: none of its code runs here.

use object::elf;
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object};
use std::str;

/// What begins a script (execve(2), "Interpreter scripts").
const SCRIPT: &[u8] = b"#!";

/// The longest first line of a script that Linux reads (execve(2)).
const SCRIPT_LINE_BYTES_MAX: usize = 255;

/// Why a file isn't a program that can be executed here. Each message continues after the file's name, and says how to fix
/// it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Neither a program nor a script.
    #[error(
        "is neither a complete 64-bit ELF program nor a script: build it for Linux and copy the whole file, or begin a script \
         with `#!` and its interpreter"
    )]
    NotExecutable,
    /// It is for another processor.
    #[error(
        "is a program for ELF machine {machine}, not for this host: build it for {}-unknown-linux-gnu",
        std::env::consts::ARCH
    )]
    OtherArchitecture {
        /// The number of its processor (elf(5), `e_machine`).
        machine: u16,
    },
    /// A library or an object file.
    #[error("is an object file, no program: link it as one")]
    NotAProgram,
    /// The script's interpreter is found nowhere.
    #[error(
        "begins with `#!` and no absolute path: write the interpreter's path, as `#!/usr/bin/python3`, in the first \
         {SCRIPT_LINE_BYTES_MAX} bytes"
    )]
    NoInterpreter,
    /// The script's interpreter only looks for another one.
    #[error(
        "begins with `#!{path}`, which can't be used, since it starts another program: write the interpreter's own path, as \
         `#!/usr/bin/python3`"
    )]
    Env {
        /// Of env(1).
        path: String,
    },
}

/// Checks the content of a program: an ELF file for this processor, or a script that names its interpreter.
///
/// # Errors
///
/// The first reason why it can't be executed.
pub fn check_program(bytes: &[u8]) -> Result<(), ProgramError> {
    match bytes.strip_prefix(SCRIPT) {
        Some(rest) => check_script(rest),
        None => check_elf(bytes),
    }
}

fn check_script(rest: &[u8]) -> Result<(), ProgramError> {
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = str::from_utf8(line).ok().filter(|line| line.len() + SCRIPT.len() <= SCRIPT_LINE_BYTES_MAX);
    let interpreter = line.and_then(|line| line.split_whitespace().next());
    match interpreter.filter(|path| path.starts_with('/')) {
        None => Err(ProgramError::NoInterpreter),
        Some(path) if path.ends_with("/env") => Err(ProgramError::Env { path: path.to_owned() }),
        Some(_) => Ok(()),
    }
}

fn check_elf(bytes: &[u8]) -> Result<(), ProgramError> {
    let elf = ElfFile64::<Endianness>::parse(bytes).map_err(|_| ProgramError::NotExecutable)?;
    let own = match std::env::consts::ARCH {
        "x86_64" => elf::EM_X86_64,
        "aarch64" => elf::EM_AARCH64,
        _ => elf::EM_RISCV,
    };
    let (machine, kind) = (elf.elf_header().e_machine(elf.endian()), elf.elf_header().e_type(elf.endian()));
    if machine != own || !elf.is_little_endian() {
        return Err(ProgramError::OtherArchitecture { machine: machine.0 });
    }
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&kind) {
        return Err(ProgramError::NotAProgram);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_scripts_pass_and_other_files_are_refused_with_the_fix() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(check_program(&own), Ok(()));
        assert_eq!(check_program(b"#!/usr/bin/python3 -u\nimport sys\n"), Ok(()));
        assert_eq!(check_program(b"#! /bin/sh"), Ok(()));
        for script in [&b"#!python3\n"[..], b"#!\n", b"#!/\xff\n"] {
            assert_eq!(check_program(script), Err(ProgramError::NoInterpreter));
        }
        let env = check_program(b"#!/usr/bin/env python3\n").unwrap_err().to_string();
        assert!(
            env.starts_with("begins with `#!/usr/bin/env`, which can't be used, since it starts"),
            "{env}"
        );
        for file in [&b""[..], b"import sys", &own[..100]] {
            assert_eq!(check_program(file), Err(ProgramError::NotExecutable));
        }
        let (mut other, mut object) = (own.clone(), own);
        // e_machine and e_type (elf(5)).
        other[18] = 0x7f;
        object[16] = 1;
        assert!(matches!(check_program(&other), Err(ProgramError::OtherArchitecture { .. })));
        assert_eq!(check_program(&object), Err(ProgramError::NotAProgram));
    }
}
