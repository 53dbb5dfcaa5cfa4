//! The built module, in the jail.

use super::answer::Answer;
use super::call::{Client, Serve};
use fezz_manifest::RoutePattern;
use fezz_sandbox::routes::Params;
use fezz_sandbox::{Jail, Request, Sandbox, SandboxError, variables};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// How much of a log is kept: more than a person reads in a test's output.
const LOG_BYTES_MAX: usize = 1 << 20;

/// Has `fezz-runner` load a built module and serve each request in a jailed process of its own, as a host does with
/// `spawn`: with the limits, variables and ports of the manifest. The function's output is [`Answer::log`].
///
/// ```no_run
/// use fezz::testing::Sandboxed;
///
/// let app = Sandboxed::built()?;
/// let answer = app.get("/greet").header("X-Name", "Ada").send().expect(200);
/// assert_eq!(answer.text(), "Hello, Ada!\n");
/// # Ok::<_, fezz::testing::SandboxError>(())
/// ```
pub type Sandboxed = Client<Jailed>;

/// The module, and the runner that loads it.
#[derive(Debug)]
pub struct Jailed {
    sandbox: Sandbox,
}

impl Sandboxed {
    /// The folder of a built function, `functions/<id>@<version>`, or a module alone. A module alone has the default of
    /// each key of the manifest, and the routes and the deadline that stand in it.
    ///
    /// # Errors
    ///
    /// It can't be read or isn't valid, or there is no `fezz-runner`: each error says what to do.
    pub fn load(function: impl AsRef<Path>) -> Result<Self, SandboxError> {
        let runner = std::env::var_os(variables::RUNNER).map(PathBuf::from);
        let named = std::env::var(variables::JAIL).unwrap_or_default();
        let jail = Jail::ALL.into_iter().find(|jail| jail.as_str() == named).unwrap_or_default();
        let sandbox = Sandbox::load(function.as_ref(), runner.as_deref(), jail)?;
        let sandbox = sandbox.with_secrets(std::env::var_os(variables::SECRETS).map(PathBuf::from));
        Ok(Self { server: Jailed { sandbox } })
    }

    /// This package's function: as `cargo fezz test` has built it, else as `cargo fezz build` does now, once for each test
    /// program. So `cargo test` runs the test, too.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    ///
    /// # Panics
    ///
    /// `cargo fezz build` fails; its messages are on stderr.
    pub fn built() -> Result<Self, SandboxError> {
        match std::env::var_os(variables::FUNCTION) {
            Some(folder) => Self::load(PathBuf::from(folder)),
            None => Self::load(build()),
        }
    }

    /// Sets a variable, over the manifest's `env` and `secrets`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.server.sandbox.set_env(name, value);
        self
    }

    /// Sets the URL of a resource, over the manifest's `resources`, and so the port that the jail allows.
    #[must_use]
    pub fn resource(mut self, name: &str, url: &str) -> Self {
        self.server.sandbox.set_resource(name, url);
        self
    }
}

/// Builds the package whose test this is, and returns its function's folder.
fn build() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["fezz", "build", "--format", "json"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo is on PATH");
        assert!(
            built.status.success(),
            "`cargo fezz build` failed ({}): its messages are above; if cargo doesn't know it, run `cargo install --path \
             crates/cargo-fezz` in a clone of Fezz",
            built.status
        );
        let report: serde_json::Value =
            serde_json::from_slice(&built.stdout).expect("`--format json` prints JSON");
        report["folder"].as_str().expect("the report names the folder").into()
    })
}

impl Serve for Jailed {
    fn routes(&self) -> &[RoutePattern] {
        self.sandbox.routes()
    }

    /// # Panics
    ///
    /// The runner can't be started, which is no fault of the function.
    fn serve(&self, request: &Request, params: &Params) -> Answer {
        let message = self.sandbox.message(request, params);
        let mut log = Vec::new();
        let keep = |line: &[u8]| {
            if log.len() < LOG_BYTES_MAX {
                log.extend_from_slice(line);
            }
        };
        match self.sandbox.serve(&message, keep) {
            Ok(served) => Answer::new(served.response(), &log),
            Err(error) => panic!("{}", fezz_wire::chain(&error)),
        }
    }
}
