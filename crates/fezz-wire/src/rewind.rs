//! What the host and a rewindable process agree on. Such a process is a zygote's child that serves request after
//! request. After each, it parks, and the host puts its memory back to the snapshot that it took before the first.
//!
//! 1. The child makes what the host tracks it by: a userfaultfd(2), and the listener of the filter that tells the host
//!    which system calls it makes (seccomp(2), `SECCOMP_FILTER_FLAG_NEW_LISTENER`). It writes [`Preparation::Ready`] to
//!    its socket and parks. The host takes both descriptors out of the process (pidfd_getfd(2)), opens its files in
//!    /proc, and resumes it by [`Resume::Seal`].
//! 2. The child closes all descriptors but the log's, makes itself non-dumpable, and parks again. The host resumes it by
//!    [`Resume::Settle`], and takes the snapshot when it has parked again. The process is ready for its first request.
//! 3. The host writes a request into the buffer that the child named, and resumes the child by
//!    [`Resume::Request`]. The child calls the module and parks with the response.
//! 4. The host restores the memory and resumes the child by [`Resume::Settle`]. The child restores its registers and parks
//!    again. Only then may the next request come: if what the last one left in the registers ends the process, as the
//!    trap flag does, it ends here. From here on as in step 3.
//!
//! The child parks by the system call [`PARK`], which no kernel has: the filter passes it to the host instead. Its two
//! arguments are an address and a length: of the buffer for requests in steps 1 and 2, of the response in step 3. After
//! [`Resume::Settle`] both are 0.

/// The number of the system call by which a rewindable process waits for the host. Larger than every real one, and
/// without the bit of x32.
pub const PARK: u32 = 0x00fe_2200;

/// The value of [`Resume::Settle`], for which the child looks before it runs anything else.
pub const SETTLE: i64 = 2;

/// The size of the buffer for a request, in bytes. A larger request gets a process of its own, as under `fork`: copying
/// it would take longer than forking.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;

/// The length of a [`Preparation`] in bytes.
pub const PREPARATION_BYTES: usize = 16;

/// What a child sends over its socket: whether it can be put back to its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// It is about to park for the first time.
    Ready {
        /// The number of its userfaultfd.
        userfaultfd: i32,
        /// The number of its filter's listener.
        listener: i32,
    },
    /// It can't, and exits.
    Impossible {
        /// The reason.
        obstacle: Obstacle,
        /// The system's error, a number of errno(3); 0 if there is none.
        error: i32,
    },
}

/// Why a process can't be put back to its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Some state can only be restored by instructions that are written for one kind of processor.
    #[error("this processor isn't an x86-64")]
    Architecture,
    /// The processor or the kernel lacks XSAVE or FSGSBASE.
    #[error("the processor or the kernel lacks XSAVE or FSGSBASE, which restore registers")]
    Registers,
    /// The extended state of the processor is larger than the space for it.
    #[error("the processor has more extended state than this version of the runner can restore")]
    ExtendedState,
    /// Processes without a PID namespace of their own can't be trusted to be alone.
    #[error(
        "the processes of the zygote have no PID namespaces of their own (is the jail off, or does a wrapper forbid namespaces?)"
    )]
    Separation,
    /// The kernel would go on writing to its memory.
    #[error("the C library's area for restartable sequences, rseq(2), can't be given back to the kernel")]
    Rseq,
    /// A handler could run between two requests.
    #[error("the module's constructors or fezz_on_load_v2 changed how signals are handled")]
    SignalHandlers,
    /// userfaultfd(2) fails.
    #[error("this process can't make a userfaultfd")]
    Userfaultfd,
    /// The filter with a listener can't be installed.
    #[error(
        "this process can't install a filter with a listener (does a wrapper's filter have one already?)"
    )]
    Filter,
    /// prctl(2) fails.
    #[error("this process can't let the host open its memory")]
    Dumpable,
    /// No memory for the buffer.
    #[error("the memory limit leaves no room for a request")]
    Memory,
}

/// What the host has a parked process do: the value that [`PARK`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Close all but the log's descriptors, become non-dumpable, and park again.
    Seal,
    /// Restore the registers, and park again.
    Settle,
    /// Serve the request of so many bytes that is in the buffer.
    Request(usize),
}

const READY: u32 = 1;
const IMPOSSIBLE: u32 = 2;

impl Obstacle {
    const ALL: [Self; 10] = [
        Self::Architecture,
        Self::Registers,
        Self::ExtendedState,
        Self::Separation,
        Self::Rseq,
        Self::SignalHandlers,
        Self::Userfaultfd,
        Self::Filter,
        Self::Dumpable,
        Self::Memory,
    ];
}

impl Preparation {
    /// As bytes: the kind, then two numbers, each little-endian in 4 bytes, then 4 bytes of 0.
    pub fn encode(self) -> [u8; PREPARATION_BYTES] {
        let (kind, first, second) = match self {
            Self::Ready { userfaultfd, listener } => (READY, userfaultfd, listener),
            Self::Impossible { obstacle, error } => (IMPOSSIBLE, obstacle as i32, error),
        };
        let mut bytes = [0; PREPARATION_BYTES];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&first.to_le_bytes());
        bytes[8..12].copy_from_slice(&second.to_le_bytes());
        bytes
    }

    /// The preparation in a message; `None` if it holds something else.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let bytes: [u8; PREPARATION_BYTES] = message.try_into().ok()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l, 0, 0, 0, 0] = bytes else { return None };
        let (first, second) = (i32::from_le_bytes([e, f, g, h]), i32::from_le_bytes([i, j, k, l]));
        match u32::from_le_bytes([a, b, c, d]) {
            READY if first >= 0 && second >= 0 => Some(Self::Ready { userfaultfd: first, listener: second }),
            IMPOSSIBLE => {
                let obstacle = Obstacle::ALL.into_iter().find(|obstacle| *obstacle as i32 == first)?;
                Some(Self::Impossible { obstacle, error: second })
            }
            _ => None,
        }
    }
}

impl Resume {
    /// As the value that the system call returns: 1 and [`SETTLE`] for the first two, and for a request its length plus 3.
    pub fn encode(self) -> i64 {
        match self {
            Self::Seal => 1,
            Self::Settle => SETTLE,
            Self::Request(bytes) => i64::try_from(bytes).map_or(0, |bytes| bytes.saturating_add(3)),
        }
    }

    /// The inverse; `None` for a value that no host gives, as an error of the kernel when the host is gone.
    pub fn decode(value: i64) -> Option<Self> {
        match value {
            1 => Some(Self::Seal),
            SETTLE => Some(Self::Settle),
            3.. => {
                usize::try_from(value - 3).ok().filter(|bytes| *bytes <= REQUEST_BYTES_MAX).map(Self::Request)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preparations_survive_a_round_trip_and_other_messages_are_refused() {
        let ready = Preparation::Ready { userfaultfd: 4, listener: 5 };
        assert_eq!(Preparation::decode(&ready.encode()), Some(ready));
        for obstacle in Obstacle::ALL {
            let impossible = Preparation::Impossible { obstacle, error: 38 };
            assert_eq!(Preparation::decode(&impossible.encode()), Some(impossible));
        }
        let negative = Preparation::Ready { userfaultfd: -1, listener: 5 };
        assert_eq!(Preparation::decode(&negative.encode()), None);
        assert_eq!(Preparation::decode(&ready.encode()[..15]), None);
        assert_eq!(Preparation::decode(&[0xff; PREPARATION_BYTES]), None);
    }

    #[test]
    fn a_resumed_process_knows_what_to_do_and_takes_no_error_for_an_order() {
        for resume in [Resume::Seal, Resume::Settle, Resume::Request(0), Resume::Request(REQUEST_BYTES_MAX)] {
            assert_eq!(Resume::decode(resume.encode()), Some(resume));
        }
        for value in [0, -38, i64::MIN, i64::MAX, Resume::Request(REQUEST_BYTES_MAX + 1).encode()] {
            assert_eq!(Resume::decode(value), None, "{value}");
        }
    }
}
