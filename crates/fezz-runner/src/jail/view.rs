//! The host's files that a module sees, as data: each with what needs it. `root.rs` builds the jail's root from it,
//! `landlock.rs` allows reading it. Paths that a system doesn't have are left out.

/// Folders and files that every function may read.
pub(super) const ALWAYS: &[(&str, &str)] = &[
    ("/usr/lib", "libraries that modules are linked with"),
    ("/usr/lib64", "the same, in Red Hat's distributions"),
    ("/lib", "the same; on most systems a link to the first"),
    ("/lib64", "the same"),
    ("/usr/share/zoneinfo", "time zones"),
];

/// Devices that neither store nor reveal data; writing to them has no effect. Not /dev/zero: mapped as shared memory,
/// it is memory that no limit of the process counts.
pub(super) const DEVICES: &[(&str, &str)] =
    &[("/dev/null", "libraries that discard output"), ("/dev/urandom", "libraries older than getrandom(2)")];

/// What a function that may use the network may read in addition.
pub(super) const NETWORK: &[(&str, &str)] = &[
    ("/etc/resolv.conf", "where names are looked up (resolv.conf(5))"),
    ("/etc/hosts", "names that are known locally (hosts(5))"),
    ("/etc/nsswitch.conf", "the order of the two (nsswitch.conf(5))"),
    ("/etc/ssl/certs", "who may sign a server's certificate"),
    ("/etc/pki/tls/certs", "the same, in Red Hat's distributions"),
    ("/etc/pki/ca-trust/extracted", "the targets of their links"),
    ("/usr/share/ca-certificates", "the targets of Debian's links"),
    ("/usr/local/share/ca-certificates", "the targets of links to an operator's own certificates"),
];

/// The module's folder in the jail's own root, which holds nothing else.
pub(super) const MODULE: &str = "/module";

/// The folder to which a function may write whose manifest has `limits.scratch_bytes`.
pub(super) const SCRATCH: &str = "/tmp";

/// What a program may have executed beside itself, by the kernel: the dynamic loaders that binaries name (`PT_INTERP`,
/// elf(5)). They lie in the folders above.
pub(super) const LOADERS: &[(&str, &str)] = &[
    ("/lib64/ld-linux-x86-64.so.2", "programs linked with glibc"),
    ("/lib/ld-linux-aarch64.so.1", "the same, on the other processor"),
    ("/lib/ld-musl-x86_64.so.1", "programs linked with musl"),
    ("/lib/ld-musl-aarch64.so.1", "the same, on the other processor"),
];
