//! All attempts, in the order of the report: for the host, which asks for them first.

use crate::attempt::{Action, Attempt, Expected, Variant};
use crate::found::{Found, quoted};
use crate::params::Params;
use crate::{
    descriptors, devices, environment, files, ipc, kernel, locks, namespaces, network, privileges, processes,
    procfs, resources, siblings, signals, state, tracing,
};
#[cfg(target_arch = "x86_64")]
use crate::{rewind, x86};

/// A theme: its name, and its attempts by one system call and by more.
type Group = (&'static str, &'static [&'static [Attempt]]);

const GROUPS: &[Group] = &[
    ("files", &[files::ATTEMPTS]),
    ("environment", &[environment::ATTEMPTS]),
    ("descriptors", &[descriptors::ATTEMPTS]),
    ("procfs", &[procfs::ATTEMPTS]),
    ("network", &[network::ATTEMPTS]),
    ("signals", &[signals::ATTEMPTS]),
    ("tracing", &[tracing::ATTEMPTS]),
    ("namespaces", &[namespaces::PROBES, namespaces::ATTEMPTS]),
    ("privileges", &[privileges::PROBES, privileges::ATTEMPTS]),
    ("kernel", &[kernel::PROBES, kernel::ATTEMPTS]),
    ("ipc", &[ipc::ATTEMPTS]),
    ("locks", &[locks::ATTEMPTS]),
    ("processes", &[processes::ATTEMPTS]),
    ("siblings", &[siblings::ATTEMPTS]),
    ("devices", &[devices::ATTEMPTS]),
    #[cfg(target_arch = "x86_64")]
    ("x86", &[x86::PROBES, x86::ATTEMPTS]),
    ("resources", &[resources::ATTEMPTS]),
    ("state", &[state::ATTEMPTS]),
    #[cfg(target_arch = "x86_64")]
    ("rewind", rewind::PARTS),
];

/// Makes the attempt of this name; `None` if there is none.
pub(crate) fn attempt(name: &str, params: &Params<'_>) -> Option<Found> {
    let mut all = GROUPS.iter().flat_map(|(_, parts)| parts.iter().copied().flatten());
    match all.find(|attempt| attempt.id == name)?.action {
        Action::Run(run) => Some(run(params)),
        Action::Probe(ref probe) => Some(probe.run()),
        Action::Again(of) => attempt(of, params),
        #[cfg(target_arch = "x86_64")]
        Action::TwoParts(own) => Some(rewind::step(own, params)),
        #[cfg(not(target_arch = "x86_64"))]
        Action::TwoParts(_) => None,
    }
}

/// All groups, as JSON: `[{"name", "attempts": [{"id", "tries", "variant", "expected", "needs"}]}]`.
pub(crate) fn to_json() -> String {
    array(GROUPS.iter().map(|(name, parts)| {
        let attempts = array(parts.iter().copied().flatten().map(Attempt::to_json));
        format!(r#"{{"name":"{name}","attempts":{attempts}}}"#)
    }))
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

impl Attempt {
    fn to_json(&self) -> String {
        let Self { id, tries, variant, expected, needs, .. } = self;
        let (tries, variant, expected) = (quoted(tries), variant.as_str(), expected.as_str());
        let needs = needs.map_or("null".to_owned(), quoted);
        format!(
            r#"{{"id":"{id}","tries":{tries},"variant":"{variant}","expected":"{expected}","needs":{needs}}}"#
        )
    }
}

impl Variant {
    fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Brief => "brief",
            Self::Network => "network",
            Self::Scratch => "scratch",
        }
    }
}

impl Expected {
    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NotReplaced => "not_replaced",
            Self::Bounded => "bounded",
            Self::Ended => "ended",
            Self::Cut => "cut",
            Self::NothingLeft => "nothing_left",
            Self::NothingFound => "nothing_found",
            Self::RefusedToOldCalls => "refused_to_old_calls",
            Self::Restored => "restored",
            Self::Replaced => "replaced",
            Self::RestoredOrReplaced => "restored_or_replaced",
            Self::Killed => "killed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Attempt> {
        GROUPS.iter().flat_map(|(_, parts)| parts.iter().copied().flatten())
    }

    #[test]
    fn no_two_attempts_have_one_name() {
        let mut ids: Vec<&str> = all().map(|attempt| attempt.id).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn an_attempt_under_another_manifest_is_one_that_is_made_otherwise() {
        for attempt in all() {
            let Action::Again(of) = attempt.action else { continue };
            let is_made = |known: &Attempt| known.id == of && !matches!(known.action, Action::Again(_));
            assert!(all().any(is_made), "{}: no attempt `{of}`", attempt.id);
        }
    }
}
