//! What a module sees of the host's files, as data: each with who needs it. `root.rs` builds a root of it,
//! `landlock.rs` lets read it. What a system doesn't have is left out.

/// Folders and files that every function may read.
pub const ALWAYS: &[(&str, &str)] = &[
    ("/usr/lib", "libraries that modules are linked with"),
    ("/usr/lib64", "the same, as distributions of Red Hat's family place them"),
    ("/lib", "the same; on most systems a link to the first"),
    ("/lib64", "the same"),
    ("/usr/share/zoneinfo", "time zones"),
];

/// Devices that keep nothing and tell nothing; they can be written to, which does nothing. Not /dev/zero: mapped as
/// shared memory, it is memory that no limit of the process counts.
pub const DEVICES: &[(&str, &str)] = &[
    ("/dev/null", "libraries that silence something"),
    ("/dev/urandom", "libraries older than getrandom(2)"),
];

/// What a function may read, too, that may use the network.
pub const NETWORK: &[(&str, &str)] = &[
    ("/etc/resolv.conf", "where names are looked up (resolv.conf(5))"),
    ("/etc/hosts", "names that need no looking up (hosts(5))"),
    ("/etc/nsswitch.conf", "the order of the two (nsswitch.conf(5))"),
    ("/etc/ssl/certs", "who may sign a server's certificate"),
    ("/etc/pki/tls/certs", "the same, in Red Hat's family"),
    ("/etc/pki/ca-trust/extracted", "where those lead"),
    ("/usr/share/ca-certificates", "where Debian's lead"),
    ("/usr/local/share/ca-certificates", "where an operator's own lead"),
];

/// Where the module lies in the jail's own root: a folder that holds nothing else.
pub const MODULE: &str = "/module";

/// Where a function may write whose manifest has `limits.scratch_bytes`.
pub const SCRATCH: &str = "/tmp";
