//! Capabilities: none, and no way to any (capabilities(7)).

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

/// Gives up every capability: those in force, those that could be put in force, and those that an exec could bring.
///
/// # Errors
///
/// Those of prctl(2) and capset(2).
pub(super) fn drop_all() -> Result<(), Errno> {
    drop_all_but(CapabilitySet::empty())
}

/// Gives up every capability but those in `kept`, which no exec passes on.
///
/// # Errors
///
/// Those of prctl(2) and capset(2).
pub(super) fn drop_all_but(kept: CapabilitySet) -> Result<(), Errno> {
    // The highest one that a kernel knows is found by asking: `EINVAL` for the first that it doesn't.
    for number in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            // Without CAP_SETPCAP the set can't be lowered; without any capability, no_new_privs makes it moot.
            Err(Errno::PERM) => break,
            Err(error) => return Err(error),
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: none })
}

/// Set-user-ID files and file capabilities give nothing from here on (`PR_SET_NO_NEW_PRIVS`, prctl(2)); also what
/// Landlock and seccomp ask of an unprivileged process.
///
/// # Errors
///
/// `EINVAL` before Linux 3.5.
pub(super) fn no_new_privileges() -> Result<(), Errno> {
    set_no_new_privs(true)
}
