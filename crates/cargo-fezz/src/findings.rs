//! The checks of a module, each a finding with its fix.

use crate::inspect::{self, Glibc, Import};
use crate::libraries;
use crate::report::{Finding, Verdict, finding};
use fezz_manifest::{Execution, Manifest, Metadata, Module, module};
use fezz_sandbox::release;
use fezz_wire::abi;

/// What is checked.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) module: &'a [u8],
    /// `None` for a module alone.
    pub(crate) manifest: Option<&'a Manifest>,
    /// The C library of the host that is to serve it.
    pub(crate) glibc: Option<Glibc>,
}

/// A module of ordinary code is below this; `make sizes` holds the examples to the same.
const USUAL_BYTES_MAX: usize = 3 << 20;

/// Names of a long list that a finding shows.
const NAMES_SHOWN: usize = 3;

/// What the jail refuses, by the functions of the C library that need it: what they do, their names, the fix.
const REFUSED: [(&str, &[&str], &str); 3] = [
    (
        "starts a process, which the jail refuses",
        &[
            "fork",
            "vfork",
            "_Fork",
            "daemon",
            "forkpty",
            "execl",
            "execle",
            "execlp",
            "execv",
            "execve",
            "execveat",
            "execvp",
            "execvpe",
            "fexecve",
            "posix_spawn",
            "posix_spawnp",
            "system",
            "popen",
        ],
        "do the work in the function, by a library or a thread, or call a service that network.connect allows",
    ),
    (
        "makes a file in memory, which the jail refuses",
        &["memfd_create", "shm_open"],
        "use a Vec, or the folder /tmp that `limits.scratch_bytes` gives",
    ),
    (
        "changes users, roots or namespaces, which the jail refuses",
        &["chroot", "mount", "umount2", "pivot_root", "unshare", "setns", "setuid", "setgid", "ptrace"],
        "leave it out: the function is confined already",
    ),
];

/// All checks, in the order in which they matter. After a file that is no module, there is nothing else to check.
pub(crate) fn check(subject: &Subject<'_>) -> Vec<Finding> {
    if let Some(manifest) = subject.manifest.filter(|manifest| manifest.binary.is_some()) {
        return check_program(subject, manifest);
    }
    let section = match Module::check(subject.module) {
        Ok(module) => module.metadata,
        Err(error) => return vec![finding("symbols", Verdict::Error, format!("the file {error}"), None)],
    };
    let mut findings =
        vec![symbols(subject.module), manifest(subject.manifest, section), size(subject.module.len())];
    findings.extend(needed_libraries(subject.module));
    findings.extend(subject.manifest.and_then(|manifest| unique_symbol(manifest, subject.module)));
    match inspect::imports(subject.module) {
        Some(imports) => {
            findings.push(glibc(&imports, subject.glibc));
            findings.extend(refused(&imports));
            findings.extend(subject.manifest.and_then(|manifest| network(&imports, manifest)));
        }
        None => {
            let fix = Some("build it again, and copy the whole file".to_owned());
            findings.push(finding(
                "imports",
                Verdict::Error,
                "its symbol tables can't be read".to_owned(),
                fix,
            ));
        }
    }
    findings
}

/// The checks of a worker's own program. A script has no libraries of its own.
fn check_program(subject: &Subject<'_>, manifest: &Manifest) -> Vec<Finding> {
    if let Err(error) = fezz_manifest::check_program(subject.module) {
        return vec![finding("program", Verdict::Error, format!("the file {error}"), None)];
    }
    let imports = inspect::imports(subject.module);
    let kind = if imports.is_some() { "an ELF program" } else { "a script" };
    let mut findings = vec![
        finding("program", Verdict::Ok, kind.to_owned(), None),
        self::manifest(Some(manifest), None),
        size(subject.module.len()),
    ];
    if let Some(imports) = imports {
        findings.extend(needed_libraries(subject.module));
        findings.push(glibc(&imports, subject.glibc));
        findings.extend(refused(&imports));
        findings.extend(network(&imports, manifest));
    }
    findings
}

fn symbols(module: &[u8]) -> Finding {
    let known = [abi::HANDLE, abi::FREE, abi::ON_LOAD, abi::ON_FORK, abi::ON_UNLOAD];
    let known: Vec<&str> = known.iter().filter_map(|name| name.to_str().ok()).collect();
    finding("symbols", Verdict::Ok, inspect::exports(module, &known).join(", "), None)
}

fn manifest(manifest: Option<&Manifest>, section: Option<&[u8]>) -> Finding {
    let metadata = match section.map(Metadata::parse).transpose() {
        Ok(metadata) => metadata.unwrap_or_default(),
        Err(error) => return finding("manifest", Verdict::Error, error.to_string(), None),
    };
    let Some(manifest) = manifest else {
        let message = match section {
            Some(_) => "the module has metadata; its fezz.json isn't checked",
            None => "the module has no metadata, as modules that aren't in Rust; its fezz.json isn't checked",
        };
        let fix = Some("check the folder with its fezz.json".to_owned());
        return finding("manifest", Verdict::Ok, message.to_owned(), fix);
    };
    if let Err(error) = release::check_metadata(manifest, section) {
        return finding("manifest", Verdict::Error, error.to_string(), None);
    }
    let name = fezz_manifest::names::full_name(&manifest.id, &manifest.version);
    let paths: Vec<String> =
        manifest.routes(&metadata).into_iter().flatten().map(|route| route.path).collect();
    if paths.is_empty() {
        let message = format!("{name} has no route: only /rpc/{} leads to it", manifest.id);
        let fix = match manifest.binary {
            Some(_) => "write `routes` below [package.metadata.fezz] in Cargo.toml, or in fezz.json",
            None => "write #[fezz_function(path = \"/...\")], or `routes` in fezz.json",
        };
        let fix = Some(fix.to_owned());
        return finding("manifest", Verdict::Warning, message, fix);
    }
    finding("manifest", Verdict::Ok, format!("{name} at {}", paths.join(", ")), None)
}

fn size(bytes: usize) -> Finding {
    let message = format!("{} KiB", bytes.div_ceil(1024));
    if bytes as u64 > module::MODULE_BYTES_MAX {
        let fix = Some(format!("make it smaller than {} KiB", module::MODULE_BYTES_MAX / 1024));
        return finding("size", Verdict::Error, message, fix);
    }
    if bytes > USUAL_BYTES_MAX {
        let fix = "build it by `cargo fezz build` without --debug, and leave out features of dependencies";
        let message =
            format!("{message}: a module of ordinary code has up to {} KiB", USUAL_BYTES_MAX / 1024);
        return finding("size", Verdict::Warning, message, Some(fix.to_owned()));
    }
    finding("size", Verdict::Ok, message, None)
}

fn needed_libraries(bytes: &[u8]) -> Vec<Finding> {
    let Ok(needed) = module::needed_libraries(bytes) else { return Vec::new() };
    let (found, missing): (Vec<_>, Vec<_>) =
        needed.into_iter().partition(|name| libraries::find(name).is_some());
    let mut findings = vec![finding("libraries", Verdict::Ok, found.join(", "), None)];
    findings.extend(missing.into_iter().map(|name| {
        let message = format!(
            "needs `{name}`, which isn't in the folders that a jail has (/lib, /usr/lib, /lib64, /usr/lib64)"
        );
        let fix = "link it statically, or have the operator install its package on the host";
        finding("libraries", Verdict::Error, message, Some(fix.to_owned()))
    }));
    findings
}

/// A variable for which the host refuses a module in its own process.
fn unique_symbol(manifest: &Manifest, bytes: &[u8]) -> Option<Finding> {
    if manifest.execution != Some(Execution::InProcess) {
        return None;
    }
    let symbol = module::unique_symbol(bytes)?;
    let message =
        format!("`{symbol}` would be one variable for all modules in the host's process (STB_GNU_UNIQUE)");
    let fix = "build all of it with -fno-gnu-unique, or leave out `\"execution\": \"in-process\"`".to_owned();
    Some(finding("symbols", Verdict::Error, message, Some(fix)))
}

fn glibc(imports: &[Import], available: Option<Glibc>) -> Finding {
    let Some(needed) = imports.iter().filter_map(|import| import.glibc).max() else {
        return finding("glibc", Verdict::Ok, "needs no version of glibc".to_owned(), None);
    };
    let Some(available) = available else {
        let message = format!("needs glibc {needed}; this machine's version isn't known");
        let fix = Some("name the host's by --glibc".to_owned());
        return finding("glibc", Verdict::Warning, message, fix);
    };
    if needed <= available {
        return finding(
            "glibc",
            Verdict::Ok,
            format!("needs glibc {needed}, the host has {available}"),
            None,
        );
    }
    let newer = imports.iter().filter(|import| import.glibc.is_some_and(|version| version > available));
    let newer = some_of(newer.map(|import| import.name.as_str()));
    let message = format!("needs glibc {needed} for {newer}, while the host has {available}");
    let fix = format!(
        "build it by `cargo fezz build --target {}-unknown-linux-gnu.{available}`, which needs cargo-zigbuild, or on a system \
         with glibc {available} or older",
        std::env::consts::ARCH
    );
    finding("glibc", Verdict::Error, message, Some(fix))
}

fn refused(imports: &[Import]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (what, names, fix) in REFUSED {
        let used: Vec<&str> =
            imports.iter().map(|import| import.name.as_str()).filter(|name| names.contains(name)).collect();
        if !used.is_empty() {
            let message = format!("{} {what}", some_of(used.into_iter()));
            findings.push(finding("imports", Verdict::Warning, message, Some(fix.to_owned())));
        }
    }
    if findings.is_empty() {
        findings.push(finding(
            "imports",
            Verdict::Ok,
            "no function that the jail always refuses".to_owned(),
            None,
        ));
    }
    findings
}

fn network(imports: &[Import], manifest: &Manifest) -> Option<Finding> {
    const CONNECT: [&str; 2] = ["connect", "getaddrinfo"];
    let used = imports.iter().map(|import| import.name.as_str()).filter(|name| CONNECT.contains(name));
    let used: Vec<&str> = used.collect();
    if used.is_empty() || !manifest.network.connect.is_empty() || !manifest.resources.is_empty() {
        return None;
    }
    let message =
        format!("{} uses the network, of which the manifest grants none", some_of(used.into_iter()));
    let fix = "name the ports: `network = { connect = [443] }` in [package.metadata.fezz], or in fezz.json";
    Some(finding("network", Verdict::Warning, message, Some(fix.to_owned())))
}

/// The first few of a list.
fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
