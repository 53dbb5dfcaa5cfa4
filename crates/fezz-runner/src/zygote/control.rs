//! The zygote's end of the socket to the host: orders come in, each child's descriptors with its own, and reports go out.

use crate::channel::ChannelError;
use crate::syscalls;
use fezz_wire::control::{BadPacket, Order, RECORD_BYTES, RECORDS_MAX, Report};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg, send,
};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;

/// The socket that was stdin.
#[derive(Debug)]
pub(crate) struct Control(OwnedFd);

/// What a child is given to serve one request with.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The request comes and the response goes over it.
    pub(super) socket: OwnedFd,
    /// Its log.
    pub(super) stderr: OwnedFd,
}

/// What came from the host.
#[derive(Debug)]
pub(super) enum Received {
    /// Fork a child of this number for the seat.
    Fork(u64, Seat),
    /// Kill the child of this number.
    Kill(u64),
    /// Say that there is a zygote.
    Probe,
    /// Nothing, for now.
    Nothing,
    /// Nothing, ever more.
    HostGone,
}

/// The host can't be understood, or talked to.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket.
    #[error("failed to talk to the host over stdin: a zygote needs a SOCK_SEQPACKET socket there")]
    Socket(#[source] Errno),
    /// What it says.
    #[error(transparent)]
    Packet(#[from] BadPacket),
    /// What it gave with it.
    #[error("an order to fork came without its two descriptors")]
    NoSeat,
    /// The socket can't be moved out of the module's reach.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Control {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    pub(super) fn is(&self, descriptor: RawFd) -> bool {
        self.0.as_raw_fd() == descriptor
    }

    pub(super) fn close(self) {
        syscalls::close(self.0);
    }

    /// Takes the next packet, if there is one.
    pub(super) fn receive(&self) -> Result<Received, ControlError> {
        const DESCRIPTORS: usize = 2;
        // One byte more than an order: what is longer is cut there, and refused.
        let mut packet = [0; RECORD_BYTES + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(&self.0, &mut [IoSliceMut::new(&mut packet)], &mut ancillary, flags);
        let received = match received {
            Ok(received) if received.bytes == 0 => return Ok(Received::HostGone),
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
            Err(Errno::CONNRESET) => return Ok(Received::HostGone),
            Err(error) => return Err(ControlError::Socket(error)),
        };
        let mut descriptors = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        match Order::decode(&packet[..received.bytes])? {
            Order::Kill { child } => Ok(Received::Kill(child)),
            Order::Probe => Ok(Received::Probe),
            Order::Fork { child } => {
                let mut descriptors = descriptors.by_ref().flatten();
                // Out of descriptors of its own, the kernel leaves some out (recvmsg(2), MSG_CTRUNC).
                let is_whole = !received.flags.contains(ReturnFlags::CTRUNC);
                match (descriptors.next(), descriptors.next()) {
                    (Some(socket), Some(stderr)) if is_whole => {
                        Ok(Received::Fork(child, Seat { socket, stderr }))
                    }
                    _ => Err(ControlError::NoSeat),
                }
            }
        }
    }

    /// Sends reports, as many to a packet as go into it.
    pub(super) fn report(&self, reports: &[Report]) -> Result<(), ControlError> {
        for reports in reports.chunks(RECORDS_MAX) {
            let packet: Vec<u8> = reports.iter().flat_map(|report| report.encode()).collect();
            loop {
                match send(&self.0, &packet, SendFlags::NOSIGNAL) {
                    Ok(_) => break,
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(ControlError::Socket(error)),
                }
            }
        }
        Ok(())
    }

    /// Waits for a packet, or for the end of a child.
    pub(super) fn wait(&self) -> Result<(), ControlError> {
        syscalls::wait_for_input_or_signal(self.0.as_fd()).map(drop).map_err(ControlError::Socket)
    }
}
