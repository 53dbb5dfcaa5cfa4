//! The zygote's end of the socket to the host: orders come in, with the descriptors of a new child, and reports go out.

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

/// The descriptors of a child, by which it serves one request.
#[derive(Debug)]
pub(crate) struct ChildDescriptors {
    /// For the request and the response.
    pub(super) socket: OwnedFd,
    pub(super) stderr: OwnedFd,
}

/// What came from the host.
#[derive(Debug)]
pub(super) enum Received {
    /// Fork a child of this number, and give it the descriptors.
    Fork(u64, ChildDescriptors),
    /// The same for a rewindable child.
    ForkRewindable(u64, ChildDescriptors),
    /// Kill the child of this number.
    Kill(u64),
    /// Report that the zygote is alive.
    Probe,
    /// No packet is waiting.
    Nothing,
    /// The host has closed the socket.
    HostGone,
}

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("failed to communicate with the host over stdin: a zygote needs a SOCK_SEQPACKET socket there")]
    Socket(#[source] Errno),
    #[error(transparent)]
    Packet(#[from] BadPacket),
    /// The descriptors that should come with it.
    #[error("an order to fork came without its two descriptors")]
    NoDescriptors,
    /// The zygote's filter would refuse what such a process has to do.
    #[error("an order to fork a rewindable process came, and this zygote was started without `--rewind`")]
    NotRewinding,
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
        // One byte more than an order: a longer packet is cut there, and refused.
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
        let mut descriptors = || {
            let mut descriptors = descriptors.by_ref().flatten();
            // If this process has too many open, the kernel drops some (recvmsg(2), MSG_CTRUNC).
            let is_whole = !received.flags.contains(ReturnFlags::CTRUNC);
            match (descriptors.next(), descriptors.next()) {
                (Some(socket), Some(stderr)) if is_whole => Ok(ChildDescriptors { socket, stderr }),
                _ => Err(ControlError::NoDescriptors),
            }
        };
        match Order::decode(&packet[..received.bytes])? {
            Order::Kill { child } => Ok(Received::Kill(child)),
            Order::Probe => Ok(Received::Probe),
            Order::Fork { child } => Ok(Received::Fork(child, descriptors()?)),
            Order::ForkRewindable { child } => Ok(Received::ForkRewindable(child, descriptors()?)),
        }
    }

    /// Sends reports, as many per packet as fit.
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
