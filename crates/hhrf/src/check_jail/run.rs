//! The check: a real host on a port of its own, and one attempt after the other.

use super::attempt::{Attempt, Expected, Variant};
use super::attempts::{GROUPS, Group};
use super::baits::{BaitError, Baits};
use super::census::left_behind;
use super::client::{self, Answer};
use super::judge::{Evidence, Judgement, Verdict, judge};
use super::machine::Machine;
use super::report::{Checked, Report, Row};
use super::site::{MEMORY_BYTES, SCRATCH_BYTES, SPARE, Site, SiteError, THREADS, threads_counted};
use crate::catalogue::Execution;
use crate::children::Children;
use crate::host::Host;
use crate::jail::{Jail, JailError};
use crate::log::CollectedLog;
use crate::server::{BuildError, HhrfServer};
use crate::settings::{HostLimits, Rpc, Settings};
use crate::source::store::StoreError;
use crate::source::{Folder, ModuleStore};
use fezz_wire::control::Separation;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Which attempts are made.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those of one theme.
    pub group: Option<String>,
    /// One alone.
    pub attempt: Option<String>,
    /// Those under one executor; each manifest chooses its own, so that both are of concern.
    pub executor: Option<Execution>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No such attempts.
    #[error("there is no {what} `{name}`: there are {}", known.join(", "))]
    Unknown {
        /// Group or attempt.
        what: &'static str,
        /// As given.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// There is no root to serve.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// There is nothing to reach.
    #[error(transparent)]
    Bait(#[from] BaitError),
    /// Modules can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no jail to check.
    #[error(transparent)]
    Jail(#[from] JailError),
    /// There is no host.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The host refuses the module.
    #[error("the host refuses the module of the attempts: {0}")]
    Refused(String),
    /// The host doesn't answer.
    #[error("the host didn't answer the attempt `{attempt}`")]
    NoAnswer {
        /// The attempt.
        attempt: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The function never ran: a jail that can't start holds nothing.
    #[error("the function of the attempt `{attempt}` never ran ({kind}): {reason}")]
    NeverRan {
        /// The attempt.
        attempt: &'static str,
        /// The host's word.
        kind: String,
        /// What the host logged, the runner's own words among it.
        reason: String,
    },
    /// The function ran, and failed at nothing: what it fails at afterwards would show nothing.
    #[error("the function `{function}`, which attempted nothing, didn't answer ({kind}): {reason}")]
    NotReady {
        /// Its id.
        function: String,
        /// The host's word.
        kind: String,
        /// What the host logged.
        reason: String,
    },
    /// The module is another.
    #[error("that isn't the module of the attempts: name `libfezz_attempts.so` by --module")]
    OtherModule,
    /// Host and module aren't of one version.
    #[error(
        "the module doesn't know the attempt `{attempt}` ({said}): install host and module of one version"
    )]
    OtherVersion {
        /// The attempt.
        attempt: &'static str,
        /// The module's answer.
        said: String,
    },
}

/// Makes the attempts through the runner of `settings`, of which addresses, root and modules aren't used. `log` is what
/// the host logs; `secret` lies in this program's environment; `children` counts the processes of this program.
///
/// # Errors
///
/// See [`CheckError`]: then nothing is known of the jail.
pub async fn check_jail(
    settings: Settings,
    module: Option<&Path>,
    selection: &Selection,
    secret: &str,
    log: &CollectedLog,
    children: Children,
) -> Result<Report, CheckError> {
    let selected = select(selection)?;
    let children = Arc::new(children);
    // First of all: where there is no jail, nothing is held.
    let jail = Jail::prepare(&settings, &children)?;
    jail.try_out(&settings.runner, Execution::Spawn, &children)?;
    let site = Site::new(module)?;
    let baits = Baits::set(site.root(), secret, &children)?;
    let settings = settings_for(&site, settings);
    let checked = Checked::new(&settings);
    let logged_bytes_max = settings.limits.stderr_bytes;
    let served = serve(settings, children, jail).await?;
    let machine = Machine::look();
    let (host, address) = (Arc::clone(&served.host), served.address);
    let mut check = Check {
        site: &site,
        baits,
        machine,
        log,
        host,
        address,
        logged_bytes_max,
        not_to_be_had: HashMap::new(),
    };
    let rows = check.make_all(&selected, selection.executor).await;
    let separation = check.separation();
    // The host drains: it has nothing to finish but processes that are ending.
    served.stop.send(()).ok();
    served.end.await.ok();
    Ok(Report::new(checked, separation, rows?))
}

type Selected = Vec<(&'static Group, &'static Attempt)>;

fn select(selection: &Selection) -> Result<Selected, CheckError> {
    let all = || GROUPS.iter().flat_map(|group| group.attempts.iter().map(move |attempt| (group, attempt)));
    if let Some(name) =
        selection.group.as_ref().filter(|name| GROUPS.iter().all(|group| group.name != **name))
    {
        let known = GROUPS.iter().map(|group| group.name).collect();
        return Err(CheckError::Unknown { what: "group", name: name.clone(), known });
    }
    if let Some(name) =
        selection.attempt.as_ref().filter(|name| all().all(|(_, attempt)| attempt.id != **name))
    {
        let known = all().map(|(_, attempt)| attempt.id).collect();
        return Err(CheckError::Unknown { what: "attempt", name: name.clone(), known });
    }
    let is_wanted = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let selected = all().filter(|(group, attempt)| {
        is_wanted(&selection.group, group.name) && is_wanted(&selection.attempt, attempt.id)
    });
    Ok(selected.collect())
}

/// The operator's, but for what is this check's own.
fn settings_for(site: &Site, settings: Settings) -> Settings {
    Settings {
        root: site.root().to_owned(),
        modules: site.root().join(".modules"),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin: None,
        rpc: Rpc::On,
        limits: HostLimits { drain_wait: Duration::ZERO, ..settings.limits },
        ..settings
    }
}

/// A host under way.
struct Served {
    host: Arc<Host>,
    /// Where it listens.
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    end: tokio::task::JoinHandle<()>,
}

/// Starts the host.
async fn serve(settings: Settings, children: Arc<Children>, jail: Jail) -> Result<Served, CheckError> {
    let store = ModuleStore::open(&settings.modules)?;
    let source = Folder::unwatched(&settings.root, store);
    let builder = HhrfServer::builder(settings).source(source).children(children).jail(jail);
    let server = builder.build().await?;
    let (host, address) = (Arc::clone(server.host()), server.address());
    if let Some(refusal) = host.catalogue.load().rejected().first() {
        return Err(CheckError::Refused(refusal.to_string()));
    }
    let (stop, stopped) = oneshot::channel();
    // Stopped, or dropped: either is the end.
    let end = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
    Ok(Served { host, address, stop, end })
}

/// What the module says to a request that attempts nothing.
const READY_ANSWER: &[u8] = br#"{"result":"untried","detail":"nothing is attempted"}"#;

/// Under each manifest, a request that attempts nothing.
static READY: [Attempt; Variant::ALL.len()] = {
    let [plain, brief, network, scratch] = Variant::ALL;
    [
        Attempt::new("ready", "answer").under(plain),
        Attempt::new("ready", "answer").under(brief),
        Attempt::new("ready", "answer").under(network),
        Attempt::new("ready", "answer").under(scratch),
    ]
};

/// A check under way.
struct Check<'a> {
    site: &'a Site,
    baits: Baits,
    machine: Machine,
    log: &'a CollectedLog,
    host: Arc<Host>,
    address: SocketAddr,
    logged_bytes_max: usize,
    /// Why these functions don't run here: Landlock knows no ports before Linux 6.7 and keeps no processes apart before
    /// 6.12, and a wrapper may give no scratch. A jail that can't grant something fails closed.
    not_to_be_had: HashMap<String, String>,
}

impl Check<'_> {
    /// Under one executor after the other.
    async fn make_all(
        &mut self,
        selected: &Selected,
        executor: Option<Execution>,
    ) -> Result<Vec<Row>, CheckError> {
        let mut rows = Vec::new();
        for execution in Execution::ALL.into_iter().filter(|one| executor.is_none_or(|named| named == *one)) {
            self.make_ready(execution).await?;
            for (group, attempt) in selected {
                let Judgement { verdict, observed } = self.make(attempt, execution).await?;
                let &&Attempt { id, tries, expected, .. } = attempt;
                let (group, expected) = (group.name, expected.words());
                rows.push(Row { execution, group, id, tries, expected, observed, verdict });
            }
        }
        Ok(rows)
    }

    /// Where a function can't run, nothing is held.
    async fn make_ready(&mut self, execution: Execution) -> Result<(), CheckError> {
        for attempt in READY.iter().filter(|attempt| attempt.variant.goes_with(execution)) {
            let may_fail = attempt.variant.is_granted_something() || execution == Execution::Fork;
            let said = match self.ask(attempt, execution, "").await {
                Err(CheckError::NeverRan { kind, reason, .. }) if may_fail && kind == "jail_failed" => {
                    self.not_to_be_had.insert(attempt.variant.function(execution), reason);
                    continue;
                }
                answer => answer?,
            };
            match said.status {
                200 if said.body == READY_ANSWER => {}
                200 => return Err(CheckError::OtherModule),
                _ => {
                    let function = attempt.variant.function(execution);
                    return Err(CheckError::NotReady { function, kind: said.kind, reason: self.log.words() });
                }
            }
        }
        Ok(())
    }

    /// What keeps forked processes apart, whatever their manifest; `None` where none was forked.
    fn separation(&self) -> Option<Separation> {
        let name = format!("{}@v1", Variant::Plain.function(Execution::Fork));
        let catalogue = self.host.catalogue.load();
        catalogue.by_name(&name).and_then(|function| self.host.executors.stats(function).separation)
    }

    async fn make(
        &mut self,
        attempt: &'static Attempt,
        execution: Execution,
    ) -> Result<Judgement, CheckError> {
        if !attempt.variant.goes_with(execution) {
            let observed = format!("a scratch goes with {} alone", Execution::Spawn.as_str());
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        if let Some(path) = attempt.needs.filter(|path| !self.machine.has_file(path)) {
            let observed = format!("this machine has no {path}");
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        if let Some(reason) = self.not_to_be_had.get(&attempt.variant.function(execution)) {
            let observed = format!("no function is granted that here: {reason}");
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        self.log.clear();
        let answer = match attempt.expected {
            Expected::NothingFound => self.in_three_steps(attempt, execution).await?,
            _ => self.ask(attempt, execution, "").await?,
        };
        let mut seen = self.baits.reached()?;
        if attempt.expected == Expected::NothingLeft {
            let left = left_behind(&self.baits.marker).await;
            seen = (left > 0).then(|| format!("{left} processes were left")).or(seen);
        }
        let reason = self.log.problem();
        let logged_bytes = self.log.stderr_bytes();
        let evidence =
            Evidence { answer: &answer, seen, reason, logged_bytes, logged_bytes_max: self.logged_bytes_max };
        let judgement = judge(attempt, evidence, &self.machine);
        self.baits.renew_victim()?;
        Ok(judgement)
    }

    /// One request leaves, others look, one tidies up. What can't be left can't be found.
    async fn in_three_steps(
        &self,
        attempt: &'static Attempt,
        execution: Execution,
    ) -> Result<Answer, CheckError> {
        let left = self.ask(attempt, execution, "leave").await?;
        if !has_worked(&left) {
            return Ok(left);
        }
        let mut found = self.ask(attempt, execution, "look").await?;
        // Of the processes that look, the last were started, or forked, after it was left.
        for _ in 0..SPARE {
            if has_worked(&found) {
                break;
            }
            found = self.ask(attempt, execution, "look").await?;
        }
        self.ask(attempt, execution, "remove").await?;
        Ok(found)
    }

    async fn ask(
        &self,
        attempt: &'static Attempt,
        execution: Execution,
        step: &str,
    ) -> Result<Answer, CheckError> {
        let (function, call) = (attempt.variant.function(execution), attempt.call.unwrap_or(attempt.id));
        let path = format!("/rpc/{function}@v1/{call}");
        let own = format!(
            "other_function={}\nexecution={}\nmemory_bytes={MEMORY_BYTES}\nthreads={THREADS}\nthreads_counted={}\n\
             scratch_bytes={SCRATCH_BYTES}\nstep={step}\n",
            self.site.other_function().display(),
            execution.as_str(),
            threads_counted(execution),
        );
        let answer = client::post(self.address, &path, attempt.id, &(self.baits.lines() + &own)).await;
        let answer = answer.map_err(|source| CheckError::NoAnswer { attempt: attempt.id, source })?;
        match answer.status {
            // A program in the module's place can exit as a runner does that never ran it.
            503 if attempt.expected != Expected::NotReplaced => {
                Err(CheckError::NeverRan { attempt: attempt.id, kind: answer.kind, reason: self.log.words() })
            }
            400 | 404 | 405 => {
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                Err(CheckError::OtherVersion { attempt: attempt.id, said })
            }
            _ => Ok(answer),
        }
    }
}

/// By the module's word.
fn has_worked(answer: &Answer) -> bool {
    answer.body.starts_with(br#"{"result":"worked""#)
}
