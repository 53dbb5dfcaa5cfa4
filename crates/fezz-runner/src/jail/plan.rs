//! How one function is to be confined: what the runner is asked for.

/// How much of the jail this process makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All of it.
    Strict,
    /// All but the namespaces and the root, which a wrapper makes.
    Inner,
    /// None of it.
    Off,
}

impl Mode {
    /// The value of `--jail`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Inner => "inner",
            Self::Off => "off",
        }
    }
}

/// How a function is confined, and what it is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jail {
    pub mode: Mode,
    /// The user to become, if this process is root.
    pub uid: Option<u32>,
    /// Descriptors of namespaces to enter first: an empty network that the host's jails share, and before it the user
    /// namespace that it belongs to.
    pub join: Vec<u32>,
    /// The TCP ports that it may connect to; empty: no network at all.
    pub connect: Vec<u16>,
    /// The size of the folder that it may write to; 0: none.
    pub scratch_bytes: u64,
    /// When the host began to start this process, in nanoseconds since 1970: a wrapper's scratch must be newer.
    pub scratch_since_ns: Option<u64>,
}

impl Jail {
    /// Whether the module may use the network at all.
    pub(crate) fn has_network(&self) -> bool {
        !self.connect.is_empty()
    }
}
