//! The root folder of a host: `functions/` with what a test installs.

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The module that does harm: `tests/fixtures/harmful`.
pub(crate) const HARMFUL: &str = "libfixture_harmful.so";
/// The module that an author might have written: `tests/fixtures/author`.
pub(crate) const AUTHOR: &str = "libfixture_author.so";
/// The module that does what ordinary programs do: `tests/fixtures/ordinary`.
pub(crate) const ORDINARY: &str = "libfixture_ordinary.so";
/// The same in C: `tests/fixtures/ordinary/c`.
pub(crate) const ORDINARY_C: &str = "libfixture_ordinary_c.so";
/// The module whose requests take over their process: `tests/fixtures/takeover`.
pub(crate) const TAKEOVER: &str = "libfixture_takeover.so";
/// The module with a buffer overflow: `tests/fixtures/takeover/c`.
pub(crate) const OVERFLOW: &str = "libfixture_overflow.so";

/// A temporary folder, removed when the test is over.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// The same below `parent` instead of the system's temporary folder.
    pub(crate) fn below(parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("fezz-test-").tempdir_in(parent).unwrap();
        // If the host runs as root, jailed processes run as other users.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(folder.path().join("functions")).unwrap();
        Self { folder }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Installs a module under `name`, which is `<id>@<version>`, with `more` in its manifest.
    pub(crate) fn install(&self, name: &str, module: &str, more: Value) -> &Self {
        self.write(name, module, &manifest(name, module, more).to_string())
    }

    /// Installs a harm as the function of the same name, version `v1`.
    pub(crate) fn harm(&self, harm: &str, more: Value) -> &Self {
        let mut more = more;
        more["env"] = json!({"HARM": harm});
        self.install(&format!("{harm}@v1"), HARMFUL, more)
    }

    /// Installs a module and the manifest's text. Each file appears by a rename, as in a careful deployment.
    pub(crate) fn write(&self, name: &str, module: &str, manifest: &str) -> &Self {
        let folder = self.function(name);
        std::fs::create_dir_all(&folder).unwrap();
        let copied = folder.join(".module");
        std::fs::copy(binary(module), &copied).unwrap();
        std::fs::rename(copied, folder.join(module)).unwrap();
        self.write_manifest(name, manifest)
    }

    fn write_manifest(&self, name: &str, manifest: &str) -> &Self {
        let folder = self.function(name);
        std::fs::write(folder.join(".manifest"), manifest).unwrap();
        std::fs::rename(folder.join(".manifest"), folder.join("fezz.json")).unwrap();
        self
    }

    /// Compiles a module in C and installs it, as [`Self::write`] does.
    pub(crate) fn install_c(&self, name: &str, text: &str, more: Value) -> &Self {
        const MODULE: &str = "libfunction.so";
        let include = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/fezz-wire/include");
        let (source, built) = (self.root().join("function.c"), self.root().join(MODULE));
        std::fs::write(&source, text).unwrap();
        let mut build = Command::new("cc");
        build.args(["-D_GNU_SOURCE", "-shared", "-fPIC", "-I", include, "-o"]).arg(&built).arg(&source);
        assert!(build.status().unwrap().success(), "{text} doesn't compile");
        std::fs::create_dir_all(self.function(name)).unwrap();
        std::fs::rename(built, self.function(name).join(MODULE)).unwrap();
        self.write_manifest(name, &manifest(name, MODULE, more).to_string())
    }

    /// The folder of the function `name`.
    pub(crate) fn function(&self, name: &str) -> PathBuf {
        self.root().join("functions").join(name)
    }

    /// Writes an executable shell script, for use as a runner's wrapper.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }
}

/// The manifest of `name`, which is `<id>@<version>`, with the keys of `more`.
fn manifest(name: &str, module: &str, more: Value) -> Value {
    let (id, version) = name.split_once('@').unwrap();
    let mut manifest = json!({"id": id, "version": version, "entry": module, "routes": []});
    for (key, value) in more.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    manifest
}

/// A file that the workspace builds: a program or a module. All are built before the first use, in the profile of this
/// test, so that no test uses an outdated one.
pub(crate) fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.parent().unwrap().parent().unwrap().to_owned();
        // Built separately, or Cargo would unify its dependencies' features with those of the host and the other
        // modules.
        build(
            &folder,
            &[
                "--workspace",
                "--exclude",
                "fixture_ordinary",
                "--exclude",
                "fixture_pools",
                "--exclude",
                "example_embedded",
                "--exclude",
                "fezz-bench-embedded",
                "--exclude",
                "fezz-bench-postgres",
            ],
        );
        build(&folder, &["--package", "fixture_ordinary"]);
        build(&folder, &["--package", "fixture_pools"]);
        make(&folder, concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/hello-c"));
        make(&folder, concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/ordinary/c"));
        make(&folder, concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/takeover/c"));
        folder
    });
    folder.join(name)
}

fn build(folder: &Path, what: &[&str]) {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet"]).args(what).current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "the workspace doesn't build");
}

/// Runs the Makefile of the folder `source`, which makes a module in `folder`.
pub(super) fn make(folder: &Path, source: &str) {
    let out = format!("OUT={}", folder.display());
    let make = Command::new("make").args(["--silent", "-C", source, &out]).status();
    assert!(make.unwrap().success(), "{source} doesn't build");
}
