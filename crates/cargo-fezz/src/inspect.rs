//! What a module needs, read from its file: no code of it runs.

use object::Endianness;
use object::elf;
use object::read::elf::{ElfFile64, Sym};
use std::fmt;
use std::str::FromStr;

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Glibc {
    major: u32,
    minor: u32,
}

/// A text is no version of the GNU C library.
#[derive(Debug, thiserror::Error)]
#[error("write a version as `2.36`")]
pub(crate) struct NoVersion;

impl FromStr for Glibc {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let (major, rest) = text.split_once('.').ok_or(NoVersion)?;
        // `2.2.5` is one of the versions of x86-64's oldest symbols.
        let minor = rest.split('.').next().unwrap_or(rest);
        let number = |text: &str| text.parse().map_err(|_| NoVersion);
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

impl serde::Serialize for Glibc {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Glibc {
    /// Of a symbol's version: `GLIBC_2.34`. `GLIBC_PRIVATE` has no number.
    fn of_symbol(version: &[u8]) -> Option<Self> {
        std::str::from_utf8(version).ok()?.strip_prefix("GLIBC_")?.parse().ok()
    }

    /// The highest version that a C library's file defines.
    pub(crate) fn defined_by(library: &[u8]) -> Option<Self> {
        let elf = ElfFile64::<Endianness>::parse(library).ok()?;
        let sections = elf.elf_section_table();
        let (definitions, strings) = sections.gnu_verdef(elf.endian(), library).ok()??;
        let strings = sections.strings(elf.endian(), library, strings).ok()?;
        let names = definitions.filter_map(|definition| definition.ok()?.1.next().ok()?);
        names.filter_map(|name| Self::of_symbol(name.name(elf.endian(), strings).ok()?)).max()
    }
}

/// A symbol that a module takes from a library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) name: String,
    /// The version of the C library that has it.
    pub(crate) glibc: Option<Glibc>,
}

/// The symbols without which the module can't work; not the weak ones, which it does without. `None`: the file's tables
/// are malformed.
pub(crate) fn imports(module: &[u8]) -> Option<Vec<Import>> {
    let elf = ElfFile64::<Endianness>::parse(module).ok()?;
    let (endian, sections) = (elf.endian(), elf.elf_section_table());
    let symbols = sections.symbols(endian, module, elf::SHT_DYNSYM).ok()?;
    let versions = sections.versions(endian, module).ok()?.unwrap_or_default();
    let mut imports = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        if symbol.st_shndx(endian) != elf::SHN_UNDEF || symbol.st_bind() == elf::STB_WEAK {
            continue;
        }
        let name = String::from_utf8_lossy(symbols.symbol_name(endian, symbol).ok()?).into_owned();
        let version = versions.version(versions.version_index(endian, index).index()).ok()?;
        let glibc = version.and_then(|version| Glibc::of_symbol(version.name()));
        imports.push(Import { name, glibc });
    }
    Some(imports)
}

/// Which of `symbols` the module itself defines.
pub(crate) fn exports<'a>(module: &[u8], symbols: &[&'a str]) -> Vec<&'a str> {
    use object::{Object, ObjectSymbol};
    let Ok(elf) = ElfFile64::<Endianness>::parse(module) else { return Vec::new() };
    let defined: Vec<&str> = elf
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    symbols.iter().copied().filter(|symbol| defined.contains(symbol)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text: &str| text.parse::<Glibc>().unwrap();
        assert!(version("2.9") < version("2.36") && version("2.2.5") < version("2.3"));
        assert!("2".parse::<Glibc>().is_err() && "two.3".parse::<Glibc>().is_err());
        assert_eq!(Glibc::of_symbol(b"GLIBC_PRIVATE"), None);
        assert_eq!(version("2.36").to_string(), "2.36");
    }

    #[test]
    fn a_file_that_is_no_module_has_no_imports() {
        assert_eq!(imports(b"nonsense"), None);
        assert_eq!(exports(b"nonsense", &["fezz_handle_v2"]), [""; 0]);
        assert_eq!(Glibc::defined_by(b"nonsense"), None);
    }
}
