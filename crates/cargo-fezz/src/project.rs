//! The package whose function is meant, as cargo describes it.

use cargo_metadata::{Metadata, MetadataCommand, Package};
use std::path::{Path, PathBuf};

/// Which package is meant.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Selection {
    /// The package of the function; only needed if several have one.
    #[arg(short, long)]
    pub(crate) package: Option<String>,
    /// Its Cargo.toml, or that of its workspace, if it isn't in this folder or above.
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
}

/// A package that makes a module, or a worker's program.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Its workspace's folder, which is its own where it is alone.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it makes.
    pub(crate) target: PathBuf,
    pub(crate) package: Package,
    /// The folders of the package and of the packages that it depends on by a path. Behind one that isn't of this workspace,
    /// no further ones are known.
    pub(crate) folders: Vec<PathBuf>,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    #[error("cargo can't read the package: go to its folder, or name its Cargo.toml by --manifest-path")]
    Metadata(#[source] cargo_metadata::Error),
    #[error("failed to find the current folder")]
    CurrentFolder(#[source] std::io::Error),
    #[error("there is no package `{name}`: use one of {}", known.join(", "))]
    Unknown { name: String, known: Vec<String> },
    #[error("several packages make a function: choose one by --package: {}", found.join(", "))]
    Several { found: Vec<String> },
    #[error(
        "`{name}` makes no shared library: put these two lines into `{manifest}`, then build again\n\n    \
         [lib]\n    crate-type = [\"cdylib\"]\n\nor, for a worker that is a program of its own\n\n    \
         [package.metadata.fezz]\n    binary = \"bin/{name}\"\n"
    )]
    NoCdylib { name: String, manifest: String },
    #[error(
        "`{name}` has no program `{program}`, which `binary` below [package.metadata.fezz] in `{manifest}` names: use the name \
         of src/main.rs, which is the package's, of a file in src/bin, or of a [[bin]]"
    )]
    NoProgram { name: String, program: String, manifest: String },
}

impl Project {
    /// Finds the package that `selection` names, else the one of the current folder, else the only one that makes a
    /// module.
    pub(crate) fn find(selection: &Selection) -> Result<Self, ProjectError> {
        let mut command = MetadataCommand::new();
        if let Some(path) = &selection.manifest_path {
            command.manifest_path(path);
        }
        let metadata = command.no_deps().exec().map_err(ProjectError::Metadata)?;
        let package = choose(&metadata, selection)?.clone();
        check_target(&package)?;
        let folders = local_folders(&metadata, &package);
        let (root, target) =
            (metadata.workspace_root.into_std_path_buf(), metadata.target_directory.into_std_path_buf());
        Ok(Self { root, target, package, folders })
    }
}

/// What `cargo fezz` keeps below cargo's own folder: cargo leaves it alone, and `cargo clean` removes it.
const FEZZ_FOLDER: &str = "fezz";

/// Where a host of `watch` records requests that fail: in the folder above.
pub(crate) const FAILURES: &str = "failures";

/// The folder of that name in the workspace of the current folder; without a workspace, `target/fezz` here.
pub(crate) fn fezz_folder() -> PathBuf {
    let metadata = MetadataCommand::new().no_deps().exec();
    let target =
        metadata.map_or_else(|_| "target".into(), |metadata| metadata.target_directory.into_std_path_buf());
    target.join(FEZZ_FOLDER)
}

impl Project {
    /// The program that it makes, where it makes no module.
    pub(crate) fn program(&self) -> Option<&str> {
        program(&self.package)
    }

    /// The folder for its workspace.
    pub(crate) fn fezz_folder(&self) -> PathBuf {
        self.target.join(FEZZ_FOLDER)
    }
}

fn choose<'a>(metadata: &'a Metadata, selection: &Selection) -> Result<&'a Package, ProjectError> {
    let packages = metadata.workspace_packages();
    let names = |packages: &[&Package]| packages.iter().map(|package| package.name.to_string()).collect();
    if let Some(name) = &selection.package {
        let named = packages.iter().find(|package| package.name == name.as_str());
        let unknown = || ProjectError::Unknown { name: name.clone(), known: names(&packages) };
        return named.copied().ok_or_else(unknown);
    }
    let folder = match &selection.manifest_path {
        Some(path) => std::path::absolute(path).map(|path| path.parent().unwrap_or(&path).to_owned()),
        None => std::env::current_dir(),
    };
    let folder = folder.map_err(ProjectError::CurrentFolder)?;
    if let Some(package) = nearest(&packages, &folder) {
        return Ok(package);
    }
    let modules: Vec<&Package> =
        packages.iter().copied().filter(|package| check_target(package).is_ok()).collect();
    match (modules.as_slice(), packages.as_slice()) {
        ([module], _) => Ok(module),
        ([], [first, ..]) => Ok(first),
        _ => Err(ProjectError::Several { found: names(&modules) }),
    }
}

/// The package whose folder is `folder` or the nearest above it.
fn nearest<'a>(packages: &[&'a Package], folder: &Path) -> Option<&'a Package> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let folders = packages.iter().filter_map(|package| Some((package.manifest_path.parent()?, *package)));
    let above = folders.filter(|(own, _)| own.canonicalize().is_ok_and(|own| folder.starts_with(own)));
    above.max_by_key(|(own, _)| own.as_str().len()).map(|(_, package)| package)
}

fn local_folders(metadata: &Metadata, package: &Package) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next: Vec<_> = package.manifest_path.parent().map(ToOwned::to_owned).into_iter().collect();
    while let Some(folder) = next.pop() {
        let known = metadata.packages.iter().find(|package| package.manifest_path.parent() == Some(&folder));
        let dependencies = known.iter().flat_map(|package| &package.dependencies);
        next.extend(dependencies.filter_map(|dependency| dependency.path.clone()));
        found.push(folder);
        next.retain(|folder| !found.contains(folder));
    }
    found.into_iter().map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf).collect()
}

/// The name of the program that its manifest's key `binary` names, a path in the function's folder.
fn program(package: &Package) -> Option<&str> {
    let binary = package.metadata.get("fezz")?.get("binary")?.as_str()?;
    binary.rsplit('/').next()
}

/// Whether it makes what its function needs.
fn check_target(package: &Package) -> Result<(), ProjectError> {
    let (name, manifest) = (package.name.to_string(), package.manifest_path.to_string());
    let mut targets = package.targets.iter();
    match program(package) {
        Some(program) if targets.any(|target| target.is_bin() && target.name == program) => Ok(()),
        Some(program) => Err(ProjectError::NoProgram { name, program: program.to_owned(), manifest }),
        None if targets.any(cargo_metadata::Target::is_cdylib) => Ok(()),
        None => Err(ProjectError::NoCdylib { name, manifest }),
    }
}
