//! A module's ELF file, read as data: none of its code runs here.

use fezz_wire::abi;
use object::read::elf::{ElfFile64, FileHeader, SectionHeader};
use object::{Endianness, Object, ObjectSection, elf};

/// The most bytes of a module. Modules are a few MiB; a file beyond this is something else, and would be read whole at
/// each reload.
pub const MODULE_BYTES_MAX: u64 = 256 << 20;

/// The most bytes of the section. The macro's output for one function is far below.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;

/// A file that is a module for this program's processor, as far as this can be checked without running it.
#[derive(Debug)]
pub struct Module<'a> {
    /// The JSON of its section [`abi::MANIFEST_SECTION`], if it has one.
    pub metadata: Option<&'a [u8]>,
}

/// Why a file isn't a module. Each message continues after the file's name, and says how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// It isn't for this system.
    #[error(
        "is not a complete 64-bit ELF file: build the module as a cdylib for Linux, and copy the whole file"
    )]
    NotElf,
    /// It is for another processor.
    #[error(
        "is built for {found}, this host is {expected}: build it for the target {expected}-unknown-linux-gnu"
    )]
    OtherArchitecture {
        /// The processor that its header names.
        found: String,
        /// The one that is asked for.
        expected: String,
    },
    /// It is a program or an object file.
    #[error("is not a shared library: set crate-type = [\"cdylib\"], or link with -shared")]
    NotShared,
    /// Its metadata is too long.
    #[error(
        "has {bytes} bytes of metadata, the limit is {METADATA_BYTES_MAX}: shorten the arguments of #[fezz_function]"
    )]
    MetadataTooLarge {
        /// The section's size.
        bytes: usize,
    },
    /// It isn't a module.
    #[error("doesn't export `{symbol}`: put #[fezz_function] on a function, or define it as fezz.h says")]
    MissingSymbol {
        /// The symbol.
        symbol: &'static str,
    },
}

impl<'a> Module<'a> {
    /// Checks a file's content: a shared library for this program's processor, which exports what each module must.
    ///
    /// # Errors
    ///
    /// The first reason why it can't be served.
    pub fn check(bytes: &'a [u8]) -> Result<Self, ModuleError> {
        Self::check_for(bytes, std::env::consts::ARCH)
    }

    /// The same for a host with another processor, by its name in target triples: `aarch64`.
    ///
    /// # Errors
    ///
    /// The first reason why such a host can't serve it.
    pub fn check_for(bytes: &'a [u8], architecture: &str) -> Result<Self, ModuleError> {
        let elf = parse(bytes)?;
        check_header(&elf, architecture)?;
        for symbol in [abi::HANDLE, abi::FREE] {
            if !exports(&elf, bytes, symbol.to_bytes_with_nul()).ok_or(ModuleError::NotElf)? {
                return Err(ModuleError::MissingSymbol { symbol: symbol.to_str().unwrap_or("?") });
            }
        }
        let metadata = elf.section_by_name(abi::MANIFEST_SECTION).and_then(|section| section.data().ok());
        match metadata.map(<[u8]>::len).filter(|bytes| *bytes > METADATA_BYTES_MAX) {
            Some(bytes) => Err(ModuleError::MetadataTooLarge { bytes }),
            None => Ok(Self { metadata }),
        }
    }
}

/// The shared libraries that an ELF file asks the loader for, in its order (`DT_NEEDED`, elf(5)): `libc.so.6`. Whether
/// they are there, the caller knows: a jail has other folders than the host.
///
/// # Errors
///
/// The file is not a complete 64-bit ELF file.
pub fn needed_libraries(bytes: &[u8]) -> Result<Vec<String>, ModuleError> {
    let elf = parse(bytes)?;
    let dynamic =
        elf.elf_section_table().dynamic_table(elf.endian(), bytes).map_err(|_| ModuleError::NotElf)?;
    let needed = dynamic.iter().filter(|entry| entry.tag == elf::DT_NEEDED);
    let name = |entry| dynamic.string(entry).map(|name| String::from_utf8_lossy(name).into_owned());
    needed.map(name).collect::<Result<_, _>>().map_err(|_| ModuleError::NotElf)
}

/// A symbol that the module defines for the whole process (`STB_GNU_UNIQUE`), if there is one. glibc binds such a name once
/// for all libraries, whatever their namespace or `RTLD_LOCAL`, and never unmaps the library whose symbol it has taken. So
/// two modules in one process, or two releases of one, would share the variable, each with a size and layout of its own.
/// C++ compilers make one of each static variable of a template or inline function, unless `-fno-gnu-unique` is given;
/// rustc makes none. `None` also for a file that [`Module::check`] refuses.
pub fn unique_symbol(bytes: &[u8]) -> Option<String> {
    /// Mangled names of C++ may have kilobytes. The beginning is enough to find it.
    const SHOWN_BYTES_MAX: usize = 200;
    let elf = parse(bytes).ok()?;
    let (symbols, strings) = dynamic_symbols(&elf, bytes)?;
    let is_unique = |symbol: &&elf::Sym64<Endianness>| {
        symbol.st_bind() == elf::STB_GNU_UNIQUE && symbol.st_shndx.get(elf.endian()) != elf::SHN_UNDEF
    };
    let symbol = symbols.iter().find(is_unique)?;
    let name = strings.get(symbol.st_name.get(elf.endian()) as usize..).unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(String::from_utf8_lossy(&name[..name.len().min(SHOWN_BYTES_MAX)]).into_owned())
}

fn parse(bytes: &[u8]) -> Result<ElfFile64<'_, Endianness>, ModuleError> {
    ElfFile64::parse(bytes).map_err(|_| ModuleError::NotElf)
}

/// The processors that Fezz runs on: all are little-endian.
const MACHINES: [(elf::Machine, &str); 3] =
    [(elf::EM_X86_64, "x86_64"), (elf::EM_AARCH64, "aarch64"), (elf::EM_RISCV, "riscv64")];

fn check_header(elf: &ElfFile64<'_, Endianness>, architecture: &str) -> Result<(), ModuleError> {
    let endian = elf.endian();
    let machine = elf.elf_header().e_machine(endian);
    let name = MACHINES.iter().find(|(known, _)| *known == machine).map(|(_, name)| *name);
    if name != Some(architecture) || !elf.is_little_endian() {
        let found = name.map_or_else(|| format!("ELF machine {}", machine.0), str::to_owned);
        return Err(ModuleError::OtherArchitecture { found, expected: architecture.to_owned() });
    }
    if elf.elf_header().e_type(endian) != elf::ET_DYN {
        return Err(ModuleError::NotShared);
    }
    Ok(())
}

/// Whether the dynamic symbol table defines `name`, which ends in NUL; `None` where the table is malformed. Compares
/// without a copy: a malicious table may give a million symbols a name of megabytes each.
fn exports(elf: &ElfFile64<'_, Endianness>, bytes: &[u8], name: &[u8]) -> Option<bool> {
    let endian = elf.endian();
    let (symbols, strings) = dynamic_symbols(elf, bytes)?;
    let is_it = |symbol: &elf::Sym64<Endianness>| {
        let at = symbol.st_name.get(endian) as usize;
        symbol.st_shndx.get(endian) != elf::SHN_UNDEF
            && strings.get(at..).is_some_and(|found| found.starts_with(name))
    };
    Some(symbols.iter().any(is_it))
}

/// The dynamic symbol table and the bytes of its names; `None` where it is malformed.
fn dynamic_symbols<'a>(
    elf: &ElfFile64<'a, Endianness>,
    bytes: &'a [u8],
) -> Option<(&'a [elf::Sym64<Endianness>], &'a [u8])> {
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).ok()?;
    if symbols.is_empty() {
        return Some((&[], &[]));
    }
    let strings = sections.section(symbols.string_section()).ok()?.data(endian, bytes).ok()?;
    Some((symbols.symbols(), strings))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test itself: a shared object by its header, but not a module.
    fn test_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_library_that_is_no_module_is_refused_by_the_symbol_that_it_lacks() {
        let error = Module::check(&test_program()).unwrap_err();
        assert_eq!(error, ModuleError::MissingSymbol { symbol: "fezz_handle_v2" });
    }

    #[test]
    fn a_file_that_is_cut_off_is_no_elf_file() {
        let bytes = test_program();
        for bytes in [&bytes[..500], b"#!/bin/sh\n"] {
            assert_eq!(Module::check(bytes).unwrap_err(), ModuleError::NotElf);
            assert_eq!(needed_libraries(bytes), Err(ModuleError::NotElf));
        }
    }

    #[test]
    fn a_module_is_checked_for_the_processor_that_is_asked_for() {
        let mut bytes = test_program();
        assert!(matches!(Module::check_for(&bytes, "sparc"), Err(ModuleError::OtherArchitecture { .. })));
        // e_machine (elf(5)).
        bytes[18] = u8::try_from(elf::EM_AARCH64.0).unwrap();
        let missing = ModuleError::MissingSymbol { symbol: "fezz_handle_v2" };
        assert_eq!(Module::check_for(&bytes, "aarch64").unwrap_err(), missing);
        let error = Module::check_for(&bytes, "x86_64").unwrap_err().to_string();
        assert!(error.starts_with("is built for aarch64, this host is x86_64: build it for"), "{error}");
    }

    #[test]
    fn the_libraries_that_a_file_needs_are_listed() {
        let needed = needed_libraries(&test_program()).unwrap();
        assert!(needed.iter().any(|name| name == "libc.so.6"), "{needed:?}");
    }

    /// Compiles a shared library.
    fn library(source: &str) -> Vec<u8> {
        let path = std::env::temp_dir().join(format!("fezz-manifest-{}.so", std::process::id()));
        let mut compiler = std::process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-x", "c", "-", "-o"]).arg(&path);
        let mut compiler = compiler.stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut compiler.stdin.take().unwrap(), source.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success());
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        bytes
    }

    #[test]
    fn a_symbol_that_is_one_for_the_whole_process_is_found_where_it_is_defined() {
        let unique =
            ".globl cells\n.type cells, @gnu_unique_object\n.data\ncells: .quad 0\n.size cells, 8\n.text";
        let source = format!("__asm__({unique:?});");
        assert_eq!(unique_symbol(&library(&source)), Some("cells".to_owned()));
        assert_eq!(unique_symbol(&library("int cells;")), None);
        assert_eq!(unique_symbol(&test_program()), None, "rustc makes none");
        assert_eq!(unique_symbol(b"no ELF file"), None);
    }
}
