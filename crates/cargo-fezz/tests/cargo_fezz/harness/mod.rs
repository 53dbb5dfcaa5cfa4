//! A scratch project, and the command run in it.

pub(crate) mod running;
pub(crate) mod watch;

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A folder of a test's own. It has the same path in each run, so that cargo compiles little again; all share one target
/// folder, where the name tells their modules apart.
pub(crate) struct Project {
    folder: PathBuf,
}

/// What a command has done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Project {
    /// An empty folder. `name` belongs to one test alone.
    pub(crate) fn empty(name: &'static str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(name);
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// A crate of one function. `attribute` has the arguments of `#[fezz_function]`, `keys` are those of
    /// `[package.metadata.fezz]`.
    pub(crate) fn function(name: &'static str, attribute: &str, keys: &str) -> Self {
        let project = Self::empty(name);
        project.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
                 [dependencies]\nfezz = {{ path = \"{REPOSITORY}/crates/fezz\" }}\n\n[package.metadata.fezz]\n{keys}\n\n[workspace]\n"
            ),
        );
        project.write(
            "src/lib.rs",
            &format!(
                "use fezz::prelude::*;\n\n#[fezz_function({attribute})]\nfn hello(_request: Request) -> String {{\n    \
                 \"hello\".to_owned()\n}}\n"
            ),
        );
        project.lock("");
        project
    }

    /// A module in C, which `cc` links with `options`: `<name>@v1/` with its manifest.
    pub(crate) fn c(name: &'static str, body: &str, options: &[&str]) -> Self {
        let project = Self::empty(name);
        project.write(
            "module.c",
            &format!(
                "#include \"fezz.h\"\n#include <stdlib.h>\n#include <unistd.h>\nFezzOwned fezz_handle_v2(FezzSlice request) {{\n    \
                 (void)request;\n    {body}\n    return (FezzOwned){{NULL, 0}};\n}}\n\
                 void fezz_free_v2(FezzOwned buffer) {{ free(buffer.ptr); }}\n"
            ),
        );
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o", "module.so", "module.c", "-I"])
            .arg(format!("{REPOSITORY}/crates/fezz-wire/include"));
        assert!(cc.args(options).current_dir(&project.folder).status().unwrap().success());
        project.write(
            &format!("{name}@v1/fezz.json"),
            &format!("{{\"id\": \"{name}\", \"version\": \"v1\", \"entry\": \"module.so\", \"routes\": [{{\"path\": \"/{name}\"}}]}}"),
        );
        std::fs::copy(project.path("module.so"), project.path(&format!("{name}@v1/module.so"))).unwrap();
        project
    }

    /// Has cargo take the dependencies of the repository, which are downloaded.
    pub(crate) fn lock(&self, below: &str) {
        std::fs::copy(format!("{REPOSITORY}/Cargo.lock"), self.path(below).join("Cargo.lock")).unwrap();
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.path(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    /// Runs `cargo fezz <line>` as cargo does, in the folder `below`.
    pub(crate) fn fezz_in(&self, below: &str, line: &str) -> Done {
        let mut fezz = self.command(below);
        fezz.arg("fezz").args(line.split_whitespace());
        self.run(fezz, below)
    }

    pub(crate) fn fezz(&self, line: &str) -> Done {
        self.fezz_in("", line)
    }

    /// The command without arguments, in the folder `below`.
    pub(crate) fn command(&self, below: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fezz"));
        self.prepare(&mut command, below);
        command
    }

    pub(crate) fn prepare(&self, command: &mut Command, below: &str) {
        command
            .current_dir(self.path(below))
            .env("CARGO", env!("CARGO"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", target())
            .stdin(Stdio::null());
    }

    /// Runs any command in the folder `below`.
    pub(crate) fn run(&self, mut command: Command, below: &str) -> Done {
        self.prepare(&mut command, below);
        Done::of(command)
    }
}

impl Done {
    /// Runs a command as it is.
    pub(crate) fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        Self {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The result, of a command that has succeeded with `--format json`.
    pub(crate) fn result(self) -> Value {
        assert_eq!(self.status, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Nothing was done, and stderr says each of `words`.
    pub(crate) fn failed_with(&self, words: &[&str]) {
        assert_eq!(self.status, Some(1), "{self:?}");
        let missing: Vec<_> = words.iter().filter(|word| !self.stderr.contains(**word)).collect();
        assert!(missing.is_empty(), "{missing:?} isn't in: {}", self.stderr);
    }
}

/// Where all projects are built.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("target")
}

/// Builds `fezz-runner` beside the command, which looks for it there.
pub(crate) fn build_runner() {
    build_program("fezz-runner");
}

/// Builds a program beside the command: cargo builds no program of another package for a test.
pub(crate) fn build_program(package: &'static str) {
    static BUILT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    // Poisoned by a test that could not build it: this one can't, either.
    let mut built = BUILT.lock().unwrap();
    if built.insert(package) {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", package]).current_dir(REPOSITORY);
        let folder = Path::new(env!("CARGO_BIN_EXE_cargo-fezz")).parent();
        if folder.is_some_and(|folder| folder.ends_with("release")) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "{package} doesn't build");
    }
}

/// Says by name that a test has not been made; in CI that is a failure.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "a test was skipped in CI: {why}");
    let thread = std::thread::current();
    eprintln!("skipped: {}: {why}", thread.name().unwrap_or("a test"));
}

/// Whether a program is installed.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
