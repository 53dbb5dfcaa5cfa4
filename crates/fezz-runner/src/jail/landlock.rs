//! Landlock: which files may be opened for what, which TCP ports may be reached, and no signals to processes outside
//! (landlock(7)).
//!
//! In strict mode a second barrier, after the root and the network namespace that this process made. In inner mode the
//! first one, since a wrapper made those.

use super::view;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};
use std::path::{Path, PathBuf};

/// Why files or ports aren't restricted.
#[derive(Debug, thiserror::Error)]
pub enum LandlockError {
    /// The kernel has no Landlock.
    #[error(
        "failed to restrict files: use Linux 5.13 or later with Landlock enabled (CONFIG_LSM or lsm= must name it)"
    )]
    Files(#[source] RulesetError),
    /// The kernel's Landlock doesn't know ports.
    #[error("failed to restrict TCP ports: `network` needs Linux 6.7 or later with Landlock enabled")]
    Ports(#[source] RulesetError),
    /// A rule can't be added, or all of them not put in force.
    #[error("failed to put the Landlock rules in force")]
    Rules(#[source] RulesetError),
}

/// Restricts this process, for good, to reading `module` and what `view.rs` lists, to executing `executables`, if there
/// are any, and a loader for them, to writing in the scratch, if there is one, and to connecting to `ports`, if there are
/// any, and to port 53.
///
/// # Errors
///
/// The kernel lacks a required right. Optional, because other steps restrict the same, are the scopes (Linux 6.12), and
/// the separate rights for truncation, moves between folders and device ioctls.
pub(super) fn restrict(
    module: &Path,
    executables: &[PathBuf],
    has_scratch: bool,
    ports: &[u16],
) -> Result<(), LandlockError> {
    let mut rules = ruleset(!ports.is_empty())?;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let network = if ports.is_empty() { &[] } else { view::NETWORK };
    for (path, _) in view::ALWAYS.iter().chain(network) {
        rules = allow(rules, Path::new(path), reading)?;
    }
    for (path, _) in view::DEVICES {
        rules = allow(rules, Path::new(path), AccessFs::ReadFile | AccessFs::WriteFile)?;
    }
    rules = allow(rules, module, reading)?;
    let loaders = if executables.is_empty() { &[] } else { view::LOADERS };
    for file in
        executables.iter().map(PathBuf::as_path).chain(loaders.iter().map(|(path, _)| Path::new(path)))
    {
        // To execute a file is to read it, too.
        rules = allow(rules, file, AccessFs::ReadFile | AccessFs::Execute)?;
    }
    if has_scratch {
        // No devices, sockets or pipes, and nothing to execute.
        let not = AccessFs::Execute
            | AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::MakeSock
            | AccessFs::MakeFifo;
        let all = AccessFs::from_all(NEWEST_TESTED) & !(not | AccessFs::IoctlDev);
        rules = allow(rules, Path::new(view::SCRATCH), all)?;
    }
    // Names are looked up by TCP: the filter lets no datagram out.
    let names = if ports.is_empty() { None } else { Some(&DNS_PORT) };
    for port in ports.iter().chain(names) {
        rules = rules.add_rule(NetPort::new(*port, AccessNet::ConnectTcp)).map_err(LandlockError::Rules)?;
    }
    rules.restrict_self().map_err(LandlockError::Rules)?;
    Ok(())
}

/// Where names are looked up (RFC 7766).
const DNS_PORT: u16 = 53;

/// The newest version that is used. Older kernels lack some of its rights: see [`restrict`].
const NEWEST_TESTED: ABI = ABI::V7;

/// Handles all that the kernel can handle, so that what no rule allows is refused.
fn ruleset(has_network: bool) -> Result<RulesetCreated, LandlockError> {
    let files = |level, abi| {
        move |ruleset: Ruleset| ruleset.set_compatibility(level).handle_access(AccessFs::from_all(abi))
    };
    let rules =
        files(CompatLevel::HardRequirement, ABI::V1)(Ruleset::default()).map_err(LandlockError::Files)?;
    let ports = if has_network { CompatLevel::HardRequirement } else { CompatLevel::BestEffort };
    let rules = rules
        .set_compatibility(ports)
        .handle_access(AccessNet::from_all(ABI::V4))
        .map_err(LandlockError::Ports)?;
    let rules = files(CompatLevel::BestEffort, NEWEST_TESTED)(rules).map_err(LandlockError::Files)?;
    let rules = rules.scope(Scope::from_all(ABI::V6)).map_err(LandlockError::Rules)?;
    rules.create().map_err(LandlockError::Files)
}

/// Allows `access` to a file or to all below a folder; to none where there is no such path.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: impl Into<BitFlags<AccessFs>>,
) -> Result<RulesetCreated, LandlockError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    // Of a file, the library leaves out the rights of folders.
    rules.add_rule(PathBeneath::new(opened, access)).map_err(LandlockError::Rules)
}
