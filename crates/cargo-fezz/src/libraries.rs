//! The shared libraries of this machine that a module finds in its jail, and the version of its C library.

use crate::inspect::Glibc;
use std::path::PathBuf;

/// The folders that a jail has, with the loader's own subfolder of Debian and Ubuntu (ld.so(8)).
const FOLDERS: [&str; 4] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];

/// The file of a library that a module asks for by `name`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
    let files = FOLDERS.iter().flat_map(|folder| {
        let folder = PathBuf::from(folder);
        [folder.join(&multiarch).join(name), folder.join(name)]
    });
    files.into_iter().find(|file| file.is_file())
}

/// The version of the C library that modules are loaded with here: the highest that the file itself defines.
pub(crate) fn glibc() -> Option<Glibc> {
    Glibc::defined_by(&std::fs::read(find("libc.so.6")?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_is_found_with_its_version() {
        assert!(find("libc.so.6").is_some() && find("libnonsense.so.1").is_none());
        assert!(glibc().unwrap() >= "2.17".parse().unwrap());
    }
}
