//! The check: a real host on a port of its own, and one attempt after the other.

use super::attempt::{Attempt, Expected, Group, Variant};
use super::baits::Baits;
use super::client::{self, Answer};
use super::error::CheckError;
use super::judge::{Evidence, Judgement, Verdict, judge};
use super::leftovers;
use super::machine::Machine;
use super::report::{Checked, Report, Row};
use super::site::{MEMORY_BYTES, SCRATCH_BYTES, SPARE, Site, THREADS, threads_counted};
use crate::catalogue::Execution;
use crate::children::Children;
use crate::execute::pool::Stats;
use crate::host::Host;
use crate::jail::{Jail, JailError};
use crate::log::CollectedLog;
use crate::release::ModuleStore;
use crate::server::HhrfServer;
use crate::settings::{HostLimits, Rpc, Settings};
use crate::source::Folder;
use fezz_wire::control::Separation;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Which attempts are made.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those of one theme.
    pub group: Option<String>,
    /// Only this one.
    pub attempt: Option<String>,
    /// Those under one executor; `None`: under each, since a manifest chooses one.
    pub executor: Option<Execution>,
}

/// Makes the attempts through the runner of `settings`, whose addresses, root and module store aren't used. `log`
/// collects the host's log; `secret` is in this program's environment; `children` tracks this program's processes.
///
/// # Errors
///
/// See [`CheckError`]: then nothing is known about the jail.
pub async fn check_jail(
    settings: Settings,
    module: Option<&Path>,
    selection: &Selection,
    secret: &str,
    log: &CollectedLog,
    children: Children,
) -> Result<Report, CheckError> {
    let children = Arc::new(children);
    // First of all: without a working jail, no attempt means anything.
    let jail = Jail::prepare(&settings, &children)?;
    let runner = settings.runner().map_err(JailError::from)?.to_owned();
    jail.try_out(&runner, Execution::Spawn, &children)?;
    let site = Site::new(module)?;
    let baits = Baits::set(site.root(), secret, &children)?;
    let settings = settings_for(&site, settings);
    let checked = Checked::new(&settings, &runner);
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
        unsupported: HashMap::new(),
        separation: None,
    };
    let rows = check.make_all(selection).await;
    let separation = check.separation;
    // The host drains: it only waits for processes that are ending.
    served.stop.send(()).ok();
    served.end.await.ok();
    Ok(Report::new(checked, separation, rows?))
}

/// The selected attempts of `groups`.
fn select<'a>(
    groups: &'a [Group],
    selection: &Selection,
) -> Result<Vec<(&'a Group, &'a Attempt)>, CheckError> {
    let all = || groups.iter().flat_map(|group| group.attempts.iter().map(move |attempt| (group, attempt)));
    let groups = || groups.iter().map(|group| group.name.clone()).collect();
    check_name("group", selection.group.as_ref(), groups)?;
    check_name("attempt", selection.attempt.as_ref(), || all().map(|(_, one)| one.id.clone()).collect())?;
    let is_wanted = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    let selected = all().filter(|(group, attempt)| {
        is_wanted(&selection.group, &group.name) && is_wanted(&selection.attempt, &attempt.id)
    });
    Ok(selected.collect())
}

fn check_name(
    what: &'static str,
    name: Option<&String>,
    known: impl Fn() -> Vec<String>,
) -> Result<(), CheckError> {
    match name {
        Some(name) if !known().contains(name) => {
            Err(CheckError::Unknown { what, name: name.clone(), known: known() })
        }
        _ => Ok(()),
    }
}

/// The operator's settings, except those that the check sets itself.
fn settings_for(site: &Site, settings: Settings) -> Settings {
    Settings {
        root: site.root().to_owned(),
        modules: site.root().join(".modules"),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin: None,
        rpc: Rpc::On,
        record_failures: None,
        // Each process is compared with its snapshot after each request.
        limits: HostLimits { drain_wait: Duration::ZERO, rewind_checks_percent: 100, ..settings.limits },
        ..settings
    }
}

/// A running host.
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
    // A message or a dropped sender: both stop the host.
    let end = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
    Ok(Served { host, address, stop, end })
}

/// The module's answer to a request that attempts nothing.
const READY_ANSWER: &[u8] = br#"{"result":"untried","detail":"nothing is attempted"}"#;

/// A running check.
pub(super) struct Check<'a> {
    site: &'a Site,
    baits: Baits,
    machine: Machine,
    pub(super) log: &'a CollectedLog,
    pub(super) host: Arc<Host>,
    address: SocketAddr,
    logged_bytes_max: usize,
    /// The functions that don't run on this machine, with the reason: Landlock has no ports before Linux 6.7 and no
    /// scopes before 6.12, and a wrapper may make no scratch. A jail that can't grant something fails closed.
    pub(super) unsupported: HashMap<String, String>,
    /// What keeps forked processes apart, the same for each manifest; `None` if none was forked.
    separation: Option<Separation>,
}

impl Check<'_> {
    /// Makes the selected attempts, under one executor after the other.
    async fn make_all(&mut self, selection: &Selection) -> Result<Vec<Row>, CheckError> {
        let groups = self.list().await?;
        let selected = select(&groups, selection)?;
        let is_wanted = |one: &Execution| selection.executor.is_none_or(|named| named == *one);
        let mut rows = Vec::new();
        for execution in Execution::JAILED.into_iter().filter(is_wanted) {
            self.check_functions(execution).await?;
            self.check_is_rewound(execution, selection)?;
            for (group, attempt) in &selected {
                let Judgement { verdict, observed } = self.make(attempt, execution).await?;
                let Attempt { id, tries, expected, .. } = (*attempt).clone();
                let (group, expected) = (group.name.clone(), expected.label());
                rows.push(Row { execution, group, id, tries, expected, observed, verdict });
            }
            if execution == Execution::Fork {
                // Later its zygotes may be gone, which aren't kept without requests.
                self.separation = self.stats(Variant::Plain, execution).and_then(|stats| stats.separation);
            }
            if execution == Execution::Rewind && !self.is_unsupported(Variant::Plain, execution) {
                self.check_still_rewinds(Variant::Plain).await?;
            }
        }
        Ok(rows)
    }

    /// Asks the module for all attempts.
    async fn list(&self) -> Result<Vec<Group>, CheckError> {
        let answer = self.ask(&Attempt::none("list", Variant::Plain), Execution::Spawn, "").await?;
        if answer.status != 200 {
            return Err(self.not_ready(Variant::Plain, Execution::Spawn, answer));
        }
        serde_json::from_slice(&answer.body).map_err(|_| CheckError::OtherModule)
    }

    fn not_ready(&self, variant: Variant, execution: Execution, answer: Answer) -> CheckError {
        let (function, kind, reason) = (variant.function(execution), answer.kind, self.log.words());
        CheckError::NotReady { function, kind, reason }
    }

    /// Checks that each function can run at all, and remembers those that this machine doesn't support.
    async fn check_functions(&mut self, execution: Execution) -> Result<(), CheckError> {
        for variant in Variant::ALL.into_iter().filter(|variant| variant.is_supported_by(execution)) {
            let may_fail = variant.has_grant() || matches!(execution, Execution::Fork | Execution::Rewind);
            let answer = match self.ask(&Attempt::none("ready", variant), execution, "").await {
                Err(CheckError::NeverRan { kind, reason, .. }) if may_fail && kind == "jail_failed" => {
                    self.unsupported.insert(variant.function(execution), reason);
                    continue;
                }
                answer => answer?,
            };
            match answer.status {
                200 if answer.body == READY_ANSWER => self.note_rewinding(variant, execution).await?,
                200 => return Err(CheckError::OtherModule),
                _ => return Err(self.not_ready(variant, execution, answer)),
            }
        }
        Ok(())
    }

    /// What the pool of a function has.
    pub(super) fn stats(&self, variant: Variant, execution: Execution) -> Option<Stats> {
        let name = format!("{}@v1", variant.function(execution));
        let catalogue = self.host.catalogue.load();
        catalogue.by_name(&name).map(|function| self.host.executors.stats(function))
    }

    async fn make(&mut self, attempt: &Attempt, execution: Execution) -> Result<Judgement, CheckError> {
        if !attempt.variant.is_supported_by(execution) {
            let observed = format!("{} supports no scratch", execution.as_str());
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        if let Some(path) = attempt.needs.as_ref().filter(|path| !self.machine.has_file(path)) {
            let observed = format!("this machine has no {path}");
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        if let Some(reason) = self.unsupported.get(&attempt.variant.function(execution)) {
            let observed = format!("the function can't run on this machine: {reason}");
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        if attempt.expected.needs_rewinding() && execution != Execution::Rewind {
            let observed = format!("{} puts no process back to a snapshot", execution.as_str());
            return Ok(Judgement { verdict: Verdict::NotTried, observed });
        }
        self.log.clear();
        let judgement = if attempt.expected.needs_rewinding() {
            self.in_two_parts(attempt).await?
        } else {
            self.make_by_answer(attempt, execution).await?
        };
        if execution == Execution::Rewind {
            self.check_not_defective(attempt.variant)?;
        }
        self.baits.renew_victim()?;
        Ok(judgement)
    }

    /// Makes an attempt that one answer, and the baits, are enough to judge.
    async fn make_by_answer(
        &mut self,
        attempt: &Attempt,
        execution: Execution,
    ) -> Result<Judgement, CheckError> {
        let answer = match attempt.expected {
            Expected::NothingFound => self.in_three_steps(attempt, execution).await?,
            _ => self.ask(attempt, execution, "").await?,
        };
        let mut seen = self.baits.reached()?;
        if attempt.expected == Expected::NothingLeft {
            let left = leftovers::scan(&self.baits.marker).await;
            seen = (left > 0).then(|| format!("{left} processes were left")).or(seen);
        }
        Ok(self.judged(attempt, &answer, seen))
    }

    /// The judgement by an answer, the log, and what was seen besides.
    pub(super) fn judged(&self, attempt: &Attempt, answer: &Answer, seen: Option<String>) -> Judgement {
        let reason = self.log.problem();
        let (logged_bytes, logged_bytes_max) = (self.log.stderr_bytes(), self.logged_bytes_max);
        judge(attempt, Evidence { answer, seen, reason, logged_bytes, logged_bytes_max }, &self.machine)
    }

    /// One request leaves something, later ones look for it, the last one removes it. If it can't be left, the other
    /// requests aren't needed.
    async fn in_three_steps(&self, attempt: &Attempt, execution: Execution) -> Result<Answer, CheckError> {
        let left = self.ask(attempt, execution, "leave").await?;
        if !has_worked(&left) {
            return Ok(left);
        }
        let mut found = self.ask(attempt, execution, "look").await?;
        // Prewarmed processes may be older than what was left. So enough requests look that the last ones run in
        // processes that were started, or forked, afterwards.
        for _ in 0..SPARE {
            if has_worked(&found) {
                break;
            }
            found = self.ask(attempt, execution, "look").await?;
        }
        self.ask(attempt, execution, "remove").await?;
        Ok(found)
    }

    /// Sends the request for a step of an attempt, "" for the only one.
    pub(super) async fn ask(
        &self,
        attempt: &Attempt,
        execution: Execution,
        step: &str,
    ) -> Result<Answer, CheckError> {
        let path = format!("/rpc/{}@v1/{}", attempt.variant.function(execution), attempt.id);
        let own = format!(
            "other_function={}\nexecution={}\nmemory_bytes={MEMORY_BYTES}\nthreads={THREADS}\nthreads_counted={}\n\
             scratch_bytes={SCRATCH_BYTES}\nstep={step}\npadding={}\n",
            self.site.other_function().display(),
            execution.as_str(),
            threads_counted(execution),
            padding(step),
        );
        let answer = self.post(&path, attempt, own).await?;
        match answer.status {
            // A program that was executed in the module's place can exit with a status that means "never ran".
            503 if attempt.expected != Expected::NotReplaced => Err(CheckError::NeverRan {
                attempt: attempt.id.clone(),
                kind: answer.kind,
                reason: self.log.words(),
            }),
            400 | 404 | 405 => {
                let answer = String::from_utf8_lossy(&answer.body).into_owned();
                Err(CheckError::OtherVersion { attempt: attempt.id.clone(), answer })
            }
            _ => Ok(answer),
        }
    }
}

impl Check<'_> {
    /// Sends a request; again, as long as the host pauses the function, because so many attempts have crashed it.
    async fn post(&self, path: &str, attempt: &Attempt, own: String) -> Result<Answer, CheckError> {
        let begun = Instant::now();
        loop {
            let body = self.baits.lines() + &own;
            let answer = client::post(self.address, path, &attempt.id, body).await;
            let answer =
                answer.map_err(|source| CheckError::NoAnswer { attempt: attempt.id.clone(), source })?;
            let is_paused = answer.status == 503 && self.log.words().contains(PAUSED);
            if !is_paused || begun.elapsed() > PAUSED_MAX {
                return Ok(answer);
            }
            self.log.clear();
            sleep(PAUSED_INTERVAL).await;
        }
    }
}

/// What the log says of a pause.
const PAUSED: &str = "the function is paused";

/// Far longer than the first pauses, each of which is twice as long as the one before.
const PAUSED_MAX: Duration = Duration::from_secs(60);
const PAUSED_INTERVAL: Duration = Duration::from_millis(500);

/// Whether the attempt worked, as the module reports.
pub(super) fn has_worked(answer: &Answer) -> bool {
    answer.body.starts_with(br#"{"result":"worked""#)
}

/// What makes a request longer, unless it is the one that looks for the end of an earlier request behind its own.
fn padding(step: &str) -> String {
    const BYTES: usize = 256;
    "P".repeat(if step == "look" { 0 } else { BYTES })
}
