//! The protocol between the host and a zygote, over the zygote's stdin, a `SOCK_SEQPACKET` socket (unix(7)). A packet
//! has records of [`RECORD_BYTES`], little-endian: the kind (4 bytes), a value (4 bytes), the child's number or another
//! number (8 bytes).

/// The length of a record.
pub const RECORD_BYTES: usize = 16;

/// The most records in a packet: reports of children that ended at the same time.
pub const RECORDS_MAX: usize = 64;

/// The size of the length prefix of each request on a child's own socket: the message's length in bytes, little-endian.
/// With it, a child knows where the message ends without parsing it, and the host can keep the socket open for the
/// response.
pub const LENGTH_BYTES: usize = 8;

/// What the host asks for; one per packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Fork a child with this number. With it come two descriptors (`SCM_RIGHTS`): the socket for the request and the
    /// response, and the child's stderr.
    Fork {
        /// The child's number, which is never used again.
        child: u64,
    },
    /// The same for a child that serves request after request, and is put back to its snapshot after each (see
    /// [`rewind`](crate::rewind)). Over its socket it sends only its [`Preparation`](crate::rewind::Preparation).
    ForkRewindable {
        /// The child's number, which is never used again.
        child: u64,
    },
    /// Kill it, if it is still running.
    Kill {
        /// Its number.
        child: u64,
    },
    /// Report [`Report::Alive`], the heartbeat: the host replaces a zygote that doesn't report it.
    Probe,
}

/// What a zygote reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The module is loaded: the zygote can fork.
    Ready(Separation),
    /// A child has ended and been reaped.
    Ended {
        /// Its number.
        child: u64,
        /// The status that wait(2) returned.
        status: i32,
    },
    /// The answer to [`Order::Probe`].
    Alive {
        /// For how long the zygote has been busy since its start, in microseconds: the time in which it didn't wait for
        /// orders or for the end of a child.
        busy_us: u64,
    },
    /// A child can't be forked.
    NotForked {
        /// Its number.
        child: u64,
        /// The system's error, a number of errno(3).
        error: i32,
    },
}

/// How the children of a zygote are kept from signalling each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separation {
    /// Each is forked into a PID namespace of its own.
    PidNamespace,
    /// Each is in a Landlock domain of its own, and can't signal processes outside; used where the zygote can't make
    /// namespaces.
    LandlockScope,
    /// Nothing: the jail is off.
    None,
}

/// A packet breaks the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a packet of {bytes} bytes is not of the protocol between host and zygote")]
pub struct BadPacket {
    bytes: usize,
}

type Record = [u8; RECORD_BYTES];

const FORK: u32 = 1;
const KILL: u32 = 2;
const READY: u32 = 3;
const ENDED: u32 = 4;
const NOT_FORKED: u32 = 5;
const PROBE: u32 = 6;
const ALIVE: u32 = 7;
const FORK_REWINDABLE: u32 = 8;

impl Order {
    /// As a packet.
    pub fn encode(self) -> Record {
        match self {
            Self::Fork { child } => record(FORK, 0, child),
            Self::ForkRewindable { child } => record(FORK_REWINDABLE, 0, child),
            Self::Kill { child } => record(KILL, 0, child),
            Self::Probe => record(PROBE, 0, 0),
        }
    }

    /// The order in a packet.
    ///
    /// # Errors
    ///
    /// It holds no order, or more than one.
    pub fn decode(packet: &[u8]) -> Result<Self, BadPacket> {
        let bad = BadPacket { bytes: packet.len() };
        match fields(packet.try_into().map_err(|_| bad)?) {
            (FORK, 0, child) => Ok(Self::Fork { child }),
            (FORK_REWINDABLE, 0, child) => Ok(Self::ForkRewindable { child }),
            (KILL, 0, child) => Ok(Self::Kill { child }),
            (PROBE, 0, 0) => Ok(Self::Probe),
            _ => Err(bad),
        }
    }
}

impl Report {
    /// As a record of a packet.
    pub fn encode(self) -> Record {
        match self {
            Self::Ready(separation) => record(READY, separation as i32, 0),
            Self::Ended { child, status } => record(ENDED, status, child),
            Self::NotForked { child, error } => record(NOT_FORKED, error, child),
            Self::Alive { busy_us } => record(ALIVE, 0, busy_us),
        }
    }

    /// The reports in a packet.
    ///
    /// # Errors
    ///
    /// It holds something else, or nothing.
    pub fn decode(packet: &[u8]) -> Result<Vec<Self>, BadPacket> {
        let bad = BadPacket { bytes: packet.len() };
        let (records, rest) = packet.as_chunks::<RECORD_BYTES>();
        if records.is_empty() || !rest.is_empty() {
            return Err(bad);
        }
        records.iter().map(|record| Self::of(*record).ok_or(bad)).collect()
    }

    fn of(record: Record) -> Option<Self> {
        match fields(record) {
            (READY, value, 0) => {
                let all = [Separation::PidNamespace, Separation::LandlockScope, Separation::None];
                all.into_iter().find(|separation| *separation as i32 == value).map(Self::Ready)
            }
            (ENDED, status, child) => Some(Self::Ended { child, status }),
            (NOT_FORKED, error, child) => Some(Self::NotForked { child, error }),
            (ALIVE, 0, busy_us) => Some(Self::Alive { busy_us }),
            _ => None,
        }
    }
}

fn record(kind: u32, value: i32, child: u64) -> Record {
    let mut record = [0; RECORD_BYTES];
    record[..4].copy_from_slice(&kind.to_le_bytes());
    record[4..8].copy_from_slice(&value.to_le_bytes());
    record[8..].copy_from_slice(&child.to_le_bytes());
    record
}

fn fields(record: Record) -> (u32, i32, u64) {
    let [a, b, c, d, e, f, g, h, child @ ..] = record;
    (u32::from_le_bytes([a, b, c, d]), i32::from_le_bytes([e, f, g, h]), u64::from_le_bytes(child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_reports_survive_a_round_trip_and_other_packets_are_refused() {
        let child = 1 << 40;
        let orders =
            [Order::Fork { child }, Order::ForkRewindable { child }, Order::Kill { child: 2 }, Order::Probe];
        for order in orders {
            assert_eq!(Order::decode(&order.encode()), Ok(order));
            assert!(Report::decode(&order.encode()).is_err(), "an order is no report");
        }
        let reports = [
            Report::Ready(Separation::PidNamespace),
            Report::Ready(Separation::LandlockScope),
            Report::Ended { child: 3, status: 139 },
            Report::NotForked { child: 4, error: 11 },
            Report::Alive { busy_us: 1 << 40 },
        ];
        let packet = reports.map(Report::encode).concat();
        assert_eq!(Report::decode(&packet), Ok(reports.to_vec()));
        for bytes in [0, 15, 17, packet.len() - 1] {
            assert_eq!(Report::decode(&packet[..bytes]), Err(BadPacket { bytes }));
        }
        assert!(Order::decode(&packet).is_err());
        assert!(Report::decode(&record(READY, 3, 0)).is_err(), "there is no such separation");
    }
}
