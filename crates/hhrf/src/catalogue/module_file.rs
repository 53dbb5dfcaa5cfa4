//! The module's file, read as data: none of its code runs here.

use super::owned_file::{self, OwnedFileError};
use fezz_wire::abi;
use object::read::elf::SectionHeader;
use object::read::elf::{ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSection, elf};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// A module that may be served.
#[derive(Debug)]
pub struct ModuleFile {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Of which file, as it was when it was read.
    pub identity: FileIdentity,
    /// The JSON of its section [`abi::MANIFEST_SECTION`], if it has one.
    pub metadata: Option<Vec<u8>>,
}

/// Device, inode, size, and the last change in nanoseconds: other bytes have another.
pub type FileIdentity = (u64, u64, u64, i128);

/// What is wrong with a manifest's `entry`. One sentence each, naming the mend.
#[derive(Debug, thiserror::Error)]
pub enum ModuleFileError {
    /// It could lead out of the folder.
    #[error("key `entry` is `{entry}`: name a file in the manifest's own folder, without a path")]
    NotAFileName {
        /// What stands there.
        entry: String,
    },
    /// The file itself.
    #[error("key `entry` names {0}")]
    File(#[from] OwnedFileError),
    /// It isn't for this system.
    #[error("`{}` is no whole ELF file of 64 bits: build the module as a cdylib for Linux, and copy all of it", path.display())]
    NotElf {
        /// Where it is.
        path: PathBuf,
    },
    /// It is for another processor.
    #[error(
        "`{}` is built for {found}, this host is {expected}: build it for the target {expected}-unknown-linux-gnu",
        path.display()
    )]
    OtherArchitecture {
        /// Where it is.
        path: PathBuf,
        /// The processor that its header names.
        found: String,
        /// This host's.
        expected: &'static str,
    },
    /// It is a program or an object file.
    #[error("`{}` is no shared library: set crate-type = [\"cdylib\"], or link with -shared", path.display())]
    NotShared {
        /// Where it is.
        path: PathBuf,
    },
    /// Its metadata is no page of JSON.
    #[error(
        "`{}` has {bytes} bytes of metadata, the limit is {METADATA_BYTES_MAX}: say less in #[fezz_function]",
        path.display()
    )]
    MetadataTooLarge {
        /// Where it is.
        path: PathBuf,
        /// The section's size.
        bytes: usize,
    },
    /// It isn't a module.
    #[error("`{}` doesn't export `{symbol}`: put #[fezz_function] on a function, or define it as fezz.h says", path.display())]
    MissingSymbol {
        /// Where it is.
        path: PathBuf,
        /// The symbol.
        symbol: &'static str,
    },
}

/// Modules are a few MiB; a file beyond this is something else, and would be read whole at each reload.
pub const MODULE_BYTES_MAX: u64 = 256 << 20;

/// What a macro writes about one function is far below.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;

impl ModuleFile {
    /// Checks the file that `entry` names in `folder`.
    ///
    /// # Errors
    ///
    /// The first reason not to serve it.
    pub fn check(folder: &Path, entry: &str) -> Result<Self, ModuleFileError> {
        let path = find(folder, entry)?;
        let (bytes, file) = owned_file::read(&path, MODULE_BYTES_MAX)?;
        let not_elf = || ModuleFileError::NotElf { path: path.clone() };
        let elf = ElfFile64::<Endianness>::parse(&*bytes).map_err(|_| not_elf())?;
        check_header(&elf, &path)?;
        for symbol in [abi::HANDLE, abi::FREE] {
            if !exports(&elf, &bytes, symbol.to_bytes_with_nul()).ok_or_else(not_elf)? {
                return Err(ModuleFileError::MissingSymbol { path, symbol: symbol.to_str().unwrap_or("?") });
            }
        }
        let section = elf.section_by_name(abi::MANIFEST_SECTION);
        let metadata = section.and_then(|section| Some(section.data().ok()?.to_vec()));
        if let Some(bytes) = metadata.as_ref().map(Vec::len).filter(|bytes| *bytes > METADATA_BYTES_MAX) {
            return Err(ModuleFileError::MetadataTooLarge { path, bytes });
        }
        let changed_ns = i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec());
        let identity = (file.dev(), file.ino(), file.len(), changed_ns);
        Ok(Self { bytes, identity, metadata })
    }
}

/// Where the module lies. An entry that ends in `.dylib`, as on macOS, finds the `.so` of the same stem, else the file
/// as named.
fn find(folder: &Path, entry: &str) -> Result<PathBuf, ModuleFileError> {
    let mut names = Path::new(entry).components();
    let plain =
        matches!((names.next(), names.next()), (Some(Component::Normal(name)), None) if name == entry);
    if !plain || entry.contains('\0') {
        return Err(ModuleFileError::NotAFileName { entry: entry.to_owned() });
    }
    let as_named = folder.join(entry);
    let Some(stem) = entry.strip_suffix(".dylib") else { return Ok(as_named) };
    let of_linux = folder.join(format!("{stem}.so"));
    // Whatever it is, a link too: it is looked at when it is read. Where there is neither, the `.so` is missing.
    let is_there = |path: &Path| path.symlink_metadata().is_ok();
    Ok(if is_there(&as_named) && !is_there(&of_linux) { as_named } else { of_linux })
}

/// Whether the dynamic symbol table defines `name`, which ends in NUL; `None` where the table is malformed. Compares
/// in place: a table may say of a million symbols that their name is one of megabytes.
fn exports(elf: &ElfFile64<'_, Endianness>, bytes: &[u8], name: &[u8]) -> Option<bool> {
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM).ok()?;
    if symbols.is_empty() {
        return Some(false);
    }
    let strings = sections.section(symbols.string_section()).ok()?.data(endian, bytes).ok()?;
    let is_it = |symbol: &elf::Sym64<Endianness>| {
        let at = symbol.st_name.get(endian) as usize;
        symbol.st_shndx.get(endian) != elf::SHN_UNDEF
            && strings.get(at..).is_some_and(|found| found.starts_with(name))
    };
    Some(symbols.iter().any(is_it))
}

fn check_header(elf: &ElfFile64<'_, Endianness>, path: &Path) -> Result<(), ModuleFileError> {
    let endian = elf.endian();
    let machine = elf.elf_header().e_machine(endian);
    let (expected_machine, expected) = HOST_MACHINE;
    if machine != expected_machine || elf.is_little_endian() != cfg!(target_endian = "little") {
        let found = match machine {
            elf::EM_X86_64 => "x86_64".to_owned(),
            elf::EM_AARCH64 => "aarch64".to_owned(),
            elf::EM_RISCV => "riscv64".to_owned(),
            other => format!("ELF machine {}", other.0),
        };
        return Err(ModuleFileError::OtherArchitecture { path: path.to_owned(), found, expected });
    }
    if elf.elf_header().e_type(endian) != elf::ET_DYN {
        return Err(ModuleFileError::NotShared { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
const HOST_MACHINE: (elf::Machine, &str) = (elf::EM_X86_64, "x86_64");
#[cfg(target_arch = "aarch64")]
const HOST_MACHINE: (elf::Machine, &str) = (elf::EM_AARCH64, "aarch64");
#[cfg(target_arch = "riscv64")]
const HOST_MACHINE: (elf::Machine, &str) = (elf::EM_RISCV, "riscv64");
